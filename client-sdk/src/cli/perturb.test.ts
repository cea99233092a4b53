import type { ModelWeights } from '@tributary/protocol';
import { nodeRandom } from '@tributary/protocol/node';
import { expect, it } from 'vitest';
import { perturb } from './perturb.ts';

const LENGTH = 20_000;
const KERNEL = { name: 'dense/kernel', shape: [LENGTH], offset: 0, length: LENGTH };
const BIAS = { name: 'dense/bias', shape: [10], offset: LENGTH, length: 10 };

function model(kernel: (i: number) => number): ModelWeights {
  const values = new Float32Array(LENGTH + 10);
  for (let i = 0; i < LENGTH; i++) values[i] = kernel(i);
  return { tensors: [KERNEL, BIAS], values };
}

it('moves each weight by about a thousandth of the spread, each time otherwise, and leaves what is constant', () => {
  const before = model((i) => Math.sin(i));
  const [first, second] = [perturb(before, nodeRandom), perturb(before, nodeRandom)];
  expect(first.tensors).toEqual(before.tensors);
  expect(first.values).not.toEqual(second.values);
  const moves = Array.from(first.values.subarray(0, LENGTH), (value, i) => value - before.values[i]!);
  const size = Math.sqrt(moves.reduce((sum, move) => sum + move * move, 0) / LENGTH);
  // The spread of a sine is sqrt(1/2).
  expect(size / (1e-3 * Math.SQRT1_2)).toBeCloseTo(1, 1);
  expect(Math.abs(moves.reduce((sum, move) => sum + move, 0) / LENGTH)).toBeLessThan(size / 20);
  expect(first.values.subarray(LENGTH)).toEqual(before.values.subarray(LENGTH));
});

it('refuses a model that it cannot move', () => {
  expect(() =>
    perturb(
      model(() => 1),
      nodeRandom,
    ),
  ).toThrow(expect.objectContaining({ code: 'model-invalid' }));
});
