import '@tensorflow/tfjs-backend-cpu';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { Tensor } from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/port.ts';
import { seededRandom } from '../training/random.ts';

const shapes = [
  [1, 1, 1],
  [10, 784, 20],
  [3, 5, 7],
  [33, 17, 65],
] as const;
const batches = [[], [1], [4], [2, 3]] as const;
const flags = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

const random = seededRandom(Uint8Array.of(9, 9, 9, 9));
const values = (count: number) => Float32Array.from({ length: count }, () => random.next() - 0.5);
const size = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
const swapped = (shape: readonly number[], swap: boolean) =>
  swap ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : [...shape];

const cases = flags.flatMap(([transposeA, transposeB]) =>
  shapes.flatMap(([m, k, n]) =>
    batches.map((batch) => ({
      transposeA,
      transposeB,
      a: swapped([...batch, m, k], transposeA),
      b: swapped([...batch, k, n], transposeB),
      out: size([...batch, m, n]),
    })),
  ),
);

/** Product and both gradients, weighted so that every element of the product matters differently. */
async function productAndGradients(
  engine: Engine,
  backend: string,
  given: (typeof cases)[number],
  data: Float32Array[],
) {
  const { tf } = engine;
  await tf.setBackend(backend);
  const results = tf.tidy(() => {
    const [a, b] = [tf.tensor(data[0]!, given.a), tf.tensor(data[1]!, given.b)];
    const product = tf.matMul(a, b, given.transposeA, given.transposeB);
    const weights = tf.tensor(data[2]!, product.shape);
    const loss = (x: Tensor, y: Tensor) =>
      tf.sum(tf.mul(tf.matMul(x, y, given.transposeA, given.transposeB), weights));
    return [product, ...tf.grads(loss as never)([a, b])].map((tensor) => tensor.dataSync() as Float32Array);
  });
  await tf.setBackend('wasm');
  return results;
}

test('products and gradients agree with the cpu backend for every transposition and batch', async () => {
  const engine = await loadEngine();
  for (const given of cases) {
    const data = [values(size(given.a)), values(size(given.b)), values(given.out)];
    const ours = await productAndGradients(engine, 'wasm', given, data);
    const reference = await productAndGradients(engine, 'cpu', given, data);
    for (const [index, want] of reference.entries()) {
      const worst = want.reduce((most, value, at) => Math.max(most, Math.abs(value - ours[index]![at]!)), 0);
      expect(worst, JSON.stringify(given)).toBeLessThan(2e-5);
    }
  }
});

test('gradients are the slopes of the product (central differences)', async () => {
  const { tf } = await loadEngine();
  const [a, b] = [values(6), values(12)];
  for (const [transposeA, transposeB] of flags) {
    const [shapeA, shapeB] = [swapped([2, 3], transposeA), swapped([3, 4], transposeB)];
    const loss = (x: Tensor, y: Tensor) => tf.sum(tf.square(tf.matMul(x, y, transposeA, transposeB)));
    const at = (x: Float32Array, y: Float32Array) =>
      tf.tidy(() => loss(tf.tensor(x, shapeA), tf.tensor(y, shapeB)).dataSync()[0]!);
    const [da, db] = tf.tidy(() =>
      tf
        .grads(loss as never)([tf.tensor(a, shapeA), tf.tensor(b, shapeB)])
        .map((g) => g.dataSync() as Float32Array),
    );
    const slope = (which: Float32Array, index: number) => {
      const kept = which[index]!;
      which[index] = kept + 1 / 64;
      const up = at(a, b);
      which[index] = kept - 1 / 64;
      const down = at(a, b);
      which[index] = kept;
      return (up - down) * 32;
    };
    for (const index of a.keys()) expect(da![index]).toBeCloseTo(slope(a, index), 3);
    for (const index of b.keys()) expect(db![index]).toBeCloseTo(slope(b, index), 3);
  }
});

test('the engine runs our kernel, on SIMD, and a product leaves no tensor behind', async () => {
  const { tf, name } = await loadEngine();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  expect([name, simd, tf.getBackend()]).toEqual(['wasm', true, 'wasm']);
  const before = { tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() };
  tf.tidy(() => tf.matMul(tf.ones([3, 4]), tf.ones([5, 3]), true, true).dataSync());
  expect({ tensors: tf.memory().numTensors, data: tf.engine().backend.numDataIds() }).toEqual(before);
});

test('a tensor that does not fit the wasm heap is an error, not a write over the engine', async () => {
  const { tf } = await loadEngine();
  for (const elements of [2 ** 30 - 1000, 2 ** 30])
    expect(() => (tf.backend() as BackendWasm).makeOutput([elements], 'float32')).toThrow(/no memory/);
});
