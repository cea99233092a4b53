import { expect, test } from 'vitest';
import { seededRandom, shuffle, splitRows } from './random.ts';

const seed = (byte: number) => new Uint8Array(32).fill(byte);

test('draws depend on every byte of the seed and on nothing else', () => {
  const draws = (bytes: Uint8Array) => {
    const random = seededRandom(bytes);
    return Array.from({ length: 8 }, () => random.next());
  };
  expect(draws(seed(7))).toEqual(draws(seed(7)));
  for (let index = 0; index < 32; index += 1) {
    const changed = seed(7);
    changed[index] = 8;
    expect(draws(changed)).not.toEqual(draws(seed(7)));
  }
});

test('draws are uniform: chi-square over 64 bins', () => {
  const random = seededRandom(seed(3));
  const bins = new Float64Array(64);
  for (let draw = 0; draw < 64_000; draw += 1) bins[random.below(64)]! += 1;
  const chi = bins.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  // 63 degrees of freedom: 99.9 % of true uniforms lie below 103.4.
  expect(chi).toBeLessThan(103.4);
});

test('a shuffle is a permutation, and each seed has its own', () => {
  const order = (byte: number) => {
    const rows = Uint32Array.from({ length: 100 }, (_, row) => row);
    shuffle(rows, seededRandom(seed(byte)));
    return rows;
  };
  expect([...order(1)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, row) => row));
  expect(order(1)).toEqual(order(1));
  expect(order(1)).not.toEqual(order(2));
});

test('the hold-out is the same rows for the same seed, disjoint from training, of the declared share', () => {
  const split = splitRows({ rows: 105 }, 0.1, seed(5));
  expect(split).toEqual(splitRows({ rows: 105 }, 0.1, seed(5)));
  expect(split.holdout).not.toEqual(splitRows({ rows: 105 }, 0.1, seed(6)).holdout);
  expect(split.holdout.length).toBe(10);
  const all = [...split.train, ...split.holdout].sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 105 }, (_, row) => row));
});

test('a share above 0 holds out at least one row, 0 holds out none', () => {
  expect(splitRows({ rows: 5 }, 0.1, seed(1)).holdout.length).toBe(1);
  expect(splitRows({ rows: 5 }, 0, seed(1)).holdout.length).toBe(0);
  expect(splitRows({ rows: 1 }, 0.1, seed(1)).train.length).toBe(0);
});
