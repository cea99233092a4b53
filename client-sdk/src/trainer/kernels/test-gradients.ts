/** What the tests of kernels share: the same operation on wasm and on the cpu backend, and slopes by differences. */
import '@tensorflow/tfjs-backend-cpu';
import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/port.ts';
import { seededRandom } from '../training/random.ts';

type Tf = Engine['tf'];
export type Operation = (tf: Tf, ...inputs: Tensor[]) => Tensor;
export interface Input {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const random = seededRandom(Uint8Array.of(7, 7, 7, 7));

/** Values in [low, low + 1). */
export function input(shape: readonly number[], low = -0.5): Input {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, values: Float32Array.from({ length: size }, () => random.next() + low) };
}

/** Different for every element, so that no error can cancel out. */
function lossOf(tf: Tf, operation: Operation) {
  return (...inputs: Tensor[]): Tensor => {
    const result = operation(tf, ...inputs);
    const weights = Float32Array.from({ length: result.size }, (_, at) => Math.sin(1 + 3 * at));
    return tf.sum(tf.mul(result, tf.tensor(weights, result.shape)));
  };
}

const tensors = (tf: Tf, inputs: readonly Input[]) =>
  inputs.map(({ shape, values }) => tf.tensor(values, shape as number[]));

async function resultAndGradients(backend: string, operation: Operation, inputs: readonly Input[]) {
  const { tf } = await loadEngine();
  await tf.setBackend(backend);
  try {
    return tf.tidy(() => {
      const given = tensors(tf, inputs);
      const gradients = tf.grads(lossOf(tf, operation) as never)(given);
      return [operation(tf, ...given), ...gradients].map((tensor) => ({
        shape: tensor.shape,
        values: tensor.dataSync() as Float32Array,
      }));
    });
  } finally {
    await tf.setBackend('wasm');
  }
}

/** The result and the gradient of every input, against the cpu backend. Leaves no tensor behind. */
export async function expectAgreement(
  operation: Operation,
  inputs: readonly Input[],
  what = '',
): Promise<void> {
  const { tf } = await loadEngine();
  const before = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
  const ours = await resultAndGradients('wasm', operation, inputs);
  expect([tf.memory().numTensors, tf.engine().backend.numDataIds()], what).toEqual(before);
  const reference = await resultAndGradients('cpu', operation, inputs);
  for (const [index, want] of reference.entries()) {
    const got = ours[index]!;
    expect(got.shape, what).toEqual(want.shape);
    const scale = want.values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const worst = want.values.reduce(
      (most, value, at) => Math.max(most, Math.abs(value - got.values[at]!)),
      0,
    );
    expect(worst / scale, `${what}: ${index === 0 ? 'result' : `gradient ${index}`}`).toBeLessThan(5e-6);
  }
}

/** Every input's gradient along random directions, against central differences on wasm itself. */
export async function expectSlopes(
  operation: Operation,
  inputs: readonly Input[],
  { step = 1 / 64, digits = 3, directions = 2 } = {},
): Promise<void> {
  const { tf } = await loadEngine();
  const gradients = (await resultAndGradients('wasm', operation, inputs)).slice(1);
  const loss = (moved: readonly Input[]) =>
    tf.tidy(() => lossOf(tf, operation)(...tensors(tf, moved)).dataSync()[0]!);
  for (const [which, { shape, values }] of inputs.entries())
    for (let count = 0; count < directions; count += 1) {
      const { values: direction } = input(shape);
      const moved = (by: number) =>
        inputs.map((other, at) =>
          at === which ? { shape, values: values.map((value, i) => value + by * direction[i]!) } : other,
        );
      const slope = (loss(moved(step)) - loss(moved(-step))) / (2 * step);
      const want = direction.reduce((sum, by, at) => sum + by * gradients[which]!.values[at]!, 0);
      expect(want, `slope of input ${which}`).toBeCloseTo(slope, digits);
    }
}
