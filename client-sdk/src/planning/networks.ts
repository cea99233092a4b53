/** Topologies for a proposal, as tfjs layers write them, without what is left at its default. */
import { plural } from './finding.ts';

export interface Network {
  readonly topology: { readonly class_name: 'Sequential'; readonly config: object };
  /** For a comment in the plan. */
  readonly why: string;
}

type Layer = readonly [className: string, config: object];

/** What the last layer is: how many outputs, and what they mean. */
export interface Output {
  readonly units: number;
  readonly activation: 'softmax' | 'sigmoid' | 'linear';
}

/** Rows below which a hidden layer would learn the rows by heart. */
const ROWS_FOR_HIDDEN = 2000;
/** An image of ours that a net without convolutions learns well, with a small update. */
const PLAIN_PIXELS = 28 * 28;
const MLP_UNITS = 200;

function sequential(input: readonly number[], [first, ...rest]: readonly Layer[]): Network['topology'] {
  const [className, config] = first!;
  const layers: Layer[] = [[className, { ...config, batch_input_shape: [null, ...input] }], ...rest];
  return {
    class_name: 'Sequential',
    config: { layers: layers.map(([class_name, each]) => ({ class_name, config: each })) },
  };
}

const dense = (units: number, activation: string): Layer => ['Dense', { units, activation }];
const outputLayer = ({ units, activation }: Output): Layer => dense(units, activation);

export function tableNetwork(width: number, rows: number, output: Output): Network {
  if (rows < ROWS_FOR_HIDDEN)
    return {
      topology: sequential([width], [outputLayer(output)]),
      why: `${output.activation === 'linear' ? 'linear' : 'logistic'} regression: ${rows} rows would teach a larger net by heart`,
    };
  const units = powerOfTwo(2 * width, 16, 128);
  return {
    topology: sequential([width], [dense(units, 'relu'), dense(units / 2, 'relu'), outputLayer(output)]),
    why: `hidden layers of ${units} and ${units / 2} units for ${plural(width, 'input')}`,
  };
}

/** Halves the sides until they are 4 or less; filters double up to 128. */
export function imageNetwork(height: number, width: number, channels: number, output: Output): Network {
  const input = [height, width, channels];
  if (channels === 1 && height * width <= PLAIN_PIXELS)
    return {
      topology: sequential(input, [
        ['Flatten', {}],
        dense(MLP_UNITS, 'relu'),
        dense(MLP_UNITS, 'relu'),
        outputLayer(output),
      ]),
      why: 'the network "2NN" of McMahan et al. 2017: small grey images need no convolutions',
    };
  const layers: Layer[] = [];
  let side = Math.min(height, width);
  let filters = 32;
  do {
    layers.push(['Conv2D', { filters, kernel_size: [3, 3], padding: 'same', activation: 'relu' }]);
    layers.push(['MaxPooling2D', { pool_size: [2, 2] }]);
    side = Math.floor(side / 2);
    filters = Math.min(128, 2 * filters);
  } while (side > 4);
  layers.push(['Flatten', {}], dense(128, 'relu'), outputLayer(output));
  return {
    topology: sequential(input, layers),
    why: `${layers.length / 2 - 1.5} convolutions, each followed by a pool that halves the sides, then one hidden layer`,
  };
}

/** In place of an orthogonal matrix, which takes tfjs seconds to make. */
const GLOROT = { class_name: 'GlorotUniform', config: {} };

export function seriesNetwork(window: number, width: number, examples: number): Network {
  const small = examples < 5000;
  const units = small ? 32 : 64;
  return {
    topology: sequential(
      [window, width],
      [
        [small ? 'GRU' : 'LSTM', { units, recurrent_initializer: GLOROT }],
        outputLayer({ units: 1, activation: 'linear' }),
      ],
    ),
    why: `${small ? `a GRU of ${units}: three quarters of an LSTM's parameters, enough for` : `an LSTM of ${units} for`} ${examples} windows`,
  };
}

export function textNetwork(buckets: number, length: number, rows: number, output: Output): Network {
  const vocabulary = buckets + 1;
  if (rows < 20_000)
    return {
      topology: sequential(
        [length],
        [
          ['Embedding', { input_dim: vocabulary, output_dim: 16 }],
          ['GlobalAveragePooling1D', {}],
          dense(16, 'relu'),
          outputLayer(output),
        ],
      ),
      why: `a mean of word vectors: ${rows} rows are too few for attention`,
    };
  return {
    topology: sequential(
      [length],
      [
        ['PositionalEmbedding', { input_dim: vocabulary, output_dim: 32, input_length: length }],
        ['TransformerEncoder', { num_heads: 4, ff_dim: 64 }],
        ['GlobalAveragePooling1D', {}],
        outputLayer(output),
      ],
    ),
    why: 'one Transformer encoder over word vectors: enough rows to learn from the order of words',
  };
}

/** Input flattened, to a quarter of its width and back. */
export function autoencoderNetwork(input: readonly number[], bounded: boolean): Network {
  const width = input.reduce((product, size) => product * size, 1);
  const code = powerOfTwo(width / 4, 2, 64);
  const outer = powerOfTwo(width / 2, 4, 256);
  return {
    topology: sequential(input, [
      ...(input.length > 1 ? ([['Flatten', {}]] as Layer[]) : []),
      dense(outer, 'relu'),
      dense(code, 'relu'),
      dense(outer, 'relu'),
      dense(width, bounded ? 'sigmoid' : 'linear'),
    ]),
    why: `squeezes ${width} values through ${code}; rows that it rebuilds badly are unusual`,
  };
}

/** The nearest one, within bounds that are powers of two themselves. */
function powerOfTwo(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, 2 ** Math.round(Math.log2(Math.max(1, value)))));
}
