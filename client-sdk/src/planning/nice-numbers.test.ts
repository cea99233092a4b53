import { expect, test } from 'vitest';
import { niceAbove, publicRange, publicScale } from './nice-numbers.ts';

test.each([
  [0.3, 0.5],
  [1, 1],
  [1.01, 2],
  [23, 50],
  [600, 1000],
  [0.02, 0.02],
])('the nice number above %d is %d', (value, nice) => {
  expect(niceAbove(value)).toBe(nice);
});

test.each([
  [6.98, 28.1, 0, 30],
  [18, 94, 0, 100],
  [-7.7, 38.2, -10, 40],
  [1013.2, 1027.9, 1012, 1028],
  [-40, -3, -40, 0],
  [5, 5, 4, 6],
])('the public range of %d to %d is %d to %d', (min, max, low, high) => {
  const range = publicRange(min, max);
  expect(range).toEqual({ min: low, max: high });
});

test.each([
  [294.51, 26.6, 290, 27],
  [1949.7, 3.41, 1950, 3.4],
  [-0.075, 401.2, 0, 400],
  [0.31712, 0.0123, 0.32, 0.012],
  [250_044.5, 1e9, 0, 1e9],
  [0.25, 0, 0, 1],
])('mean %d and spread %d are rounded to %d and %d', (mean, std, roundMean, roundStd) => {
  expect(publicScale(mean, std)).toEqual({ mean: roundMean, std: roundStd });
});
