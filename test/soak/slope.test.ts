import { expect, it } from 'vitest';
import { lows, slope } from './slope.ts';

it('finds a leak below saw-teeth, and none where there is none', () => {
  const rounds = Array.from({ length: 50 }, (_, i) => i);
  const teeth = rounds.map((i) => 100 + (i % 7) * 3);
  expect(Math.abs(slope(rounds, teeth))).toBeLessThan(0.05);
  expect(
    slope(
      rounds,
      teeth.map((y, i) => y + 0.5 * i),
    ),
  ).toBeCloseTo(0.5, 1);
});

it('finds a leak below teeth that come back within each window', () => {
  const rounds = Array.from({ length: 150 }, (_, i) => i / 50);
  const teeth = rounds.map((_, i) => 200 + 6 * (i % 11));
  const growth = (ys: number[]) => {
    const low = lows(rounds, ys);
    return slope(low.xs, low.ys);
  };
  expect(growth(teeth)).toBe(0);
  expect(growth(teeth.map((y, i) => y + 5 * rounds[i]!))).toBeCloseTo(5, 0);
});

it('takes each reading where there are few, and the lowest where there are many', () => {
  expect(lows([1, 2, 3], [5, 4, 6])).toEqual({ xs: [1, 2, 3], ys: [5, 4, 6] });
  const many = Array.from({ length: 24 }, (_, i) => i);
  expect(
    lows(
      many,
      many.map((i) => (i % 2 === 0 ? 9 : i)),
    ).ys,
  ).toHaveLength(12);
});
