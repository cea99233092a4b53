import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import { expectAgreement, expectSlopes, type Input, input, type Operation } from './test-gradients.ts';

const size = (max: number) => fc.integer({ min: 1, max });
const shapes = fc
  .record({
    batch: size(4),
    height: size(9),
    width: size(9),
    channels: size(9),
    window: size(4),
    stride: size(4),
    pad: fc.constantFrom<'same' | 'valid'>('same', 'valid'),
    /** -2: every value is negative; 1: every value is positive. */
    low: fc.constantFrom(-2, -0.5, 1),
  })
  .filter(({ pad, window, height, width }) => pad === 'same' || (window <= height && window <= width));
type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

const pool =
  (
    kind: 'maxPool' | 'avgPool',
    { window, stride, pad }: Pick<Shape, 'window' | 'stride' | 'pad'>,
  ): Operation =>
  (tf, x) =>
    tf[kind](x as Tensor4D, window, stride, pad);

/** Shuffled multiples of 1/8: no two values are so near that a difference quotient could swap them. */
function apart(shape: readonly number[], low: number): Input {
  const { values } = input(shape);
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const spaced = new Float32Array(values.length);
  for (const [rank, at] of order.entries()) spaced[at] = low + rank / 8;
  return { shape, values: spaced };
}

const valid = shapes.filter(({ pad }) => pad === 'valid');

test.each([
  ['maxPool', shapes],
  // The cpu backend's gradient is wrong at borders: see avg-pool-grad.ts.
  ['avgPool', valid],
] as const)(
  '%s and its gradient agree with the cpu backend, negative windows included',
  async (kind, given) => {
    await fc.assert(
      fc.asyncProperty(given, (shape) =>
        expectAgreement(
          pool(kind, shape),
          [input([shape.batch, shape.height, shape.width, shape.channels], shape.low)],
          JSON.stringify(shape),
        ),
      ),
      { numRuns: 30, seed: 1 },
    );
  },
);

test('each output of an average pooling passes on exactly its gradient, over borders too', async () => {
  const { tf } = await loadEngine();
  const total = fc.asyncProperty(shapes, async (shape) => {
    const sums = tf.tidy(() => {
      const x = tf.ones([shape.batch, shape.height, shape.width, shape.channels]);
      const { value, grad } = tf.valueAndGrad((y) => tf.sum(pool('avgPool', shape)(tf, y)))(x);
      return [value.dataSync()[0]!, tf.sum(grad).dataSync()[0]!];
    });
    expect(sums[1]).toBeCloseTo(sums[0]!, 2);
  });
  await fc.assert(total, { numRuns: 30, seed: 2 });
});

test('gradients of pooling are the slopes of the result, in windows that are all negative', async () => {
  const shape = { window: 2, stride: 2 };
  for (const kind of ['maxPool', 'avgPool'] as const)
    for (const pad of ['same', 'valid'] as const)
      await expectSlopes(pool(kind, { ...shape, pad }), [apart([1, 5, 4, 5], -20)], { digits: 2 });
});

test('a window of equal values gives its gradient to the first, and to it alone', async () => {
  const { tf } = await loadEngine();
  const gradient = (value: number) =>
    tf.tidy(() => {
      const loss = (x: Tensor) => tf.sum(tf.maxPool(x as Tensor4D, 2, 2, 'valid'));
      return [
        ...tf
          .grad(loss)(tf.fill([1, 2, 4, 1], value))
          .dataSync(),
      ];
    });
  for (const value of [-3, 0, 3]) expect(gradient(value)).toEqual([1, 0, 1, 0, 0, 0, 0, 0]);
});
