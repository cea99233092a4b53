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
  const growth = (leak: number) => {
    const readings = Array.from({ length: 150 }, (_, i) => ({
      at: i / 50,
      mb: 200 + 6 * (i % 11) + (leak * i) / 50,
    }));
    const low = lows(readings, ({ mb }) => mb);
    return slope(
      low.map(({ at }) => at),
      low.map(({ mb }) => mb),
    );
  };
  expect(growth(0)).toBe(0);
  expect(growth(5)).toBeCloseTo(5, 0);
});

it('takes each reading where there are few, and the lowest of each window where there are many', () => {
  expect(lows([5, 4, 6], (mb) => mb)).toEqual([5, 4, 6]);
  const many = Array.from({ length: 24 }, (_, i) => (i % 2 === 0 ? 100 : i));
  expect(lows(many, (mb) => mb)).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]);
});
