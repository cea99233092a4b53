/**
 * The short way for plain multilayer perceptrons under SGD, the commonest models on tables: the same step as the taped
 * one, without tape, tensors or temporary copies. Weights live in a memory of their own and are updated in place, which
 * inside tfjs would leave packed copies stale.
 */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { instantiate, multiplyByDepth } from '../kernels/train-wasm.ts';
import { emptySums, type Head } from '../model/heads.ts';
import type { LayerVariable } from '../model/weights.ts';
import type { Step } from './step-port.ts';

export interface DenseLayer {
  readonly inputs: number;
  readonly units: number;
  readonly activation: keyof typeof ACTIVATIONS;
  readonly kernel: LayerVariable;
  readonly bias: LayerVariable | undefined;
}

/** f, and f' from y = f(x), element by element. */
const ACTIVATIONS = {
  linear: undefined,
  relu: { value: (x: number) => Math.max(x, 0), slope: (y: number) => (y > 0 ? 1 : 0) },
  tanh: { value: Math.tanh, slope: (y: number) => 1 - y * y },
  sigmoid: { value: (x: number) => 1 / (1 + Math.exp(-x)), slope: (y: number) => y * (1 - y) },
} as const;

/** The layers of a Sequential of dense layers without regularisers or constraints; undefined for any other model. */
export function denseStackOf(model: LayersModel): DenseLayer[] | undefined {
  if (model.getClassName() !== 'Sequential') return undefined;
  const stack: DenseLayer[] = [];
  for (const layer of model.layers) {
    const config = layer.getConfig();
    const className = layer.getClassName();
    if (className === 'InputLayer' || (className === 'Flatten' && stack.length === 0)) continue;
    const extras = ['kernel', 'bias', 'activity'].flatMap((on) => [`${on}Regularizer`, `${on}Constraint`]);
    const activation = config.activation as keyof typeof ACTIVATIONS;
    const plain =
      layer.trainable && extras.every((name) => config[name] === null || config[name] === undefined);
    const [kernel, bias] = layer.weights;
    if (className !== 'Dense' || !plain || !(activation in ACTIVATIONS) || !kernel) return undefined;
    const [inputs, units] = kernel.shape as [number, number];
    stack.push({ inputs, units, activation, kernel, bias });
  }
  const input = model.inputs[0]!.shape.slice(1) as number[];
  const width = input.reduce((product, size) => product * size, 1);
  // A dense layer on a matrix works on its last axis only.
  return stack[0]?.inputs === width ? stack : undefined;
}

/** Values in memory, with where they start in bytes. */
interface Block {
  readonly at: number;
  readonly values: Float32Array;
}

/** @param write puts trained values back into the model when the step ends. */
export function createDenseStep(
  stack: readonly DenseLayer[],
  head: Head,
  rate: number,
  batchSize: number,
  write: (variable: LayerVariable, values: Float32Array) => void,
): Step {
  const sizes = stack.flatMap(({ inputs, units }) => [
    inputs * units,
    units,
    batchSize * units,
    batchSize * units,
  ]);
  const { wasm, take } = instantiateWith([batchSize * stack[0]!.inputs, ...sizes]);
  const input = take(batchSize * stack[0]!.inputs);
  const layers = stack.map((layer) => {
    const kernel = take(layer.inputs * layer.units);
    kernel.values.set(layer.kernel.read().dataSync() as Float32Array);
    const bias = take(layer.units);
    if (layer.bias) bias.values.set(layer.bias.read().dataSync() as Float32Array);
    return {
      ...layer,
      kernel,
      bias,
      output: take(batchSize * layer.units),
      slope: take(batchSize * layer.units),
    };
  });
  const before = (index: number) => (index > 0 ? layers[index - 1]!.output : input);

  function forward(rows: number): void {
    for (const [index, { inputs, units, activation, kernel, bias, output }] of layers.entries()) {
      for (let row = 0; row < rows; row += 1) output.values.set(bias.values, row * units);
      multiplyByDepth(wasm, before(index).at, kernel.at, output.at, rows, inputs, units, true);
      const apply = ACTIVATIONS[activation]?.value;
      if (apply) for (let at = 0; at < rows * units; at += 1) output.values[at] = apply(output.values[at]!);
    }
  }

  /** `slope` of the last layer holds d loss / d output. */
  function backward(rows: number): void {
    for (let index = layers.length - 1; index >= 0; index -= 1) {
      const { inputs, units, activation, kernel, bias, output, slope } = layers[index]!;
      const derivative = ACTIVATIONS[activation]?.slope;
      const count = rows * units;
      if (derivative)
        for (let at = 0; at < count; at += 1)
          slope.values[at] = slope.values[at]! * derivative(output.values[at]!);
      if (index > 0)
        wasm.dots(
          slope.at,
          4 * units,
          kernel.at,
          4 * units,
          layers[index - 1]!.slope.at,
          4 * inputs,
          units,
          inputs,
          rows,
        );
      for (let at = 0; at < count; at += 1) slope.values[at] = slope.values[at]! * -rate;
      // kernel += inputs^T (-rate slope): gradient and update in one pass over the weights.
      wasm.product(
        before(index).at,
        4,
        4 * inputs,
        slope.at,
        4 * units,
        kernel.at,
        4 * units,
        rows,
        units,
        1,
        inputs,
      );
      if (stack[index]!.bias)
        for (let at = 0; at < count; at += 1)
          bias.values[at % units] = bias.values[at % units]! + slope.values[at]!;
    }
  }

  return {
    train(values, labels) {
      const rows = values.length / stack[0]!.inputs;
      const sums = emptySums();
      const { units, output, slope } = layers.at(-1)!;
      input.values.set(values);
      forward(rows);
      head(output.values.subarray(0, rows * units), labels, units, sums, slope.values);
      backward(rows);
      return sums.loss / rows;
    },
    end() {
      for (const [index, { kernel, bias }] of stack.entries()) {
        write(kernel, layers[index]!.kernel.values);
        if (bias) write(bias, layers[index]!.bias.values);
      }
    },
  };
}

/** A memory that holds blocks of these many values, each on a 16-byte boundary, handed out in order. */
function instantiateWith(sizes: readonly number[]) {
  const bytesOf = (count: number) => Math.ceil(count / 4) * 16;
  const { wasm, buffer } = instantiate(sizes.reduce((sum, count) => sum + bytesOf(count), 0));
  let next = 0;
  const take = (count: number): Block => {
    const block = { at: next, values: new Float32Array(buffer, next, count) };
    next += bytesOf(count);
    return block;
  };
  return { wasm, take };
}
