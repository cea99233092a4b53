/** What each layer of a built model costs: weights, and work for one example forwards. */
import type { LayersModel } from '@tensorflow/tfjs-layers';

type Layer = LayersModel['layers'][number];

export interface LayerCost {
  readonly name: string;
  readonly className: string;
  /** Shape of one example's output. */
  readonly output: readonly number[];
  readonly parameters: number;
  /** Additions and multiplications for one example forwards; activation functions are not counted. */
  readonly flops: number;
  /** Steps of time that a recurrent layer takes one after the other; 0 for all others. */
  readonly timeSteps: number;
}

const RECURRENT = new Set(['SimpleRNN', 'GRU', 'LSTM', 'Bidirectional', 'RNN']);

export function layerCosts(model: LayersModel): LayerCost[] {
  return model.layers
    .filter((layer) => layer.getClassName() !== 'InputLayer')
    .map((layer) => ({
      name: layer.name,
      className: layer.getClassName(),
      output: shapeOf(layer.outputShape),
      parameters: layer.countParams(),
      flops: flopsOf(layer),
      timeSteps: RECURRENT.has(layer.getClassName()) ? inputOf(layer)[0]! : 0,
    }));
}

function flopsOf(layer: Layer): number {
  const output = product(shapeOf(layer.outputShape));
  const input = inputOf(layer);
  const kernels = layer.weights.map(({ shape }) => shape as number[]).filter((shape) => shape.length > 1);
  const [kernel = []] = kernels;
  const all = kernels.reduce((sum, shape) => sum + product(shape), 0);
  const bias = layer.getConfig().use_bias === true || layer.getConfig().useBias === true ? output : 0;
  switch (layer.getClassName()) {
    case 'Dense':
    case 'Conv1D':
    case 'Conv2D':
    case 'Conv3D':
      // The kernel is used once at each position of the output.
      return 2 * product(kernel) * (output / kernel.at(-1)!) + bias;
    case 'Conv2DTranspose':
      return 2 * product(kernel) * (product(input) / kernel.at(-1)!) + bias;
    case 'DepthwiseConv2D':
      return 2 * product(kernel) * (output / (kernel.at(-1)! * kernel.at(-2)!)) + bias;
    case 'SeparableConv2D':
      return 2 * all * (output / kernels.at(-1)!.at(-1)!) + bias;
    case 'SimpleRNN':
    case 'GRU':
    case 'LSTM':
    case 'Bidirectional':
      // Input and recurrent kernels once in each step of time.
      return 2 * all * input[0]!;
    case 'TimeDistributed':
      return 2 * all * input[0]! + output;
    case 'TransformerEncoder':
      // Projections and feed-forward for each token; scores and weighted sum for each pair of tokens.
      return 2 * all * input[0]! + 4 * input[0]! ** 2 * input[1]!;
    case 'PositionalEmbedding':
      // Adds the position to the word.
      return output;
    case 'Embedding':
      // A look-up.
      return 0;
    case 'Sequential':
    case 'Model':
    case 'Functional':
      return (layer as unknown as LayersModel).layers.reduce((sum, inner) => sum + flopsOf(inner), 0);
    case 'MaxPooling1D':
    case 'MaxPooling2D':
    case 'AveragePooling1D':
    case 'AveragePooling2D':
    case 'GlobalAveragePooling1D':
    case 'GlobalAveragePooling2D':
    case 'GlobalMaxPooling1D':
    case 'GlobalMaxPooling2D':
      return product(input);
    case 'InputLayer':
    case 'Flatten':
    case 'Reshape':
    case 'Permute':
    case 'Dropout':
    case 'SpatialDropout1D':
    case 'ZeroPadding2D':
    case 'Moments':
      return 0;
    default:
      return 2 * all + output;
  }
}

function inputOf(layer: Layer): number[] {
  return shapeOf((layer.inboundNodes[0]?.inputShapes[0] ?? []) as Layer['outputShape']);
}

/** Without the batch; the first one where a layer has several. */
function shapeOf(shape: Layer['outputShape']): number[] {
  const first = Array.isArray(shape[0]) ? (shape[0] as (number | null)[]) : (shape as (number | null)[]);
  return first.slice(1).map((size) => size ?? 1);
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((whole, size) => whole * size, 1);
}
