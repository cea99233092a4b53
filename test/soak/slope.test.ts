import { expect, it } from 'vitest';
import { slope } from './slope.ts';

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
