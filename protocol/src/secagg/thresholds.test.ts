import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cohortFloor, dropoutsSurvived, explainDropouts, survivorFloor, threshold } from './thresholds.ts';

describe('thresholds', () => {
  it.each([
    // n, c, t, drop-outs survived with minSum 3
    [3, 1, 3, 0],
    [4, 1, 3, 1],
    [5, 1, 4, 1],
    [6, 1, 4, 2],
    [10, 1, 6, 4],
    [10, 3, 7, 3],
    [100, 1, 51, 49],
    [128, 1, 65, 63],
    [128, 40, 85, 43],
    [3, 3, 4, -2],
  ])('n = %d, c = %d: t = %d, %d drop-outs', (n, c, t, dropouts) => {
    expect(threshold(n, c)).toBe(t);
    expect(dropoutsSurvived(n, c, 3)).toBe(dropouts);
  });

  it('lets no two sets of t members meet in colluders alone', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 128 }), fc.integer({ min: 1, max: 126 }), (n, c) => {
        const t = threshold(n, c);
        // |A and B| >= 2t - n whenever A and B are t out of n.
        expect(2 * t - n).toBeGreaterThan(c);
        // And it is the least such t, but for the floor of three.
        expect(t === 3 || 2 * (t - 1) - n <= c).toBe(true);
      }),
    );
  });

  it('takes the highest of all floors', () => {
    expect(cohortFloor({ t: 4, minRoster: 5 })).toBe(5);
    expect(cohortFloor({ t: 6, minRoster: 5 })).toBe(6);
    expect(cohortFloor({ t: 1, minRoster: 1 })).toBe(3);
    expect(survivorFloor({ t: 4, c: 1, minSum: 3 })).toBe(4);
    expect(survivorFloor({ t: 3, c: 1, minSum: 8 })).toBe(8);
    expect(survivorFloor({ t: 3, c: 5, minSum: 3 })).toBe(7);
    expect(survivorFloor({ t: 1, c: 0, minSum: 0 })).toBe(3);
  });

  it.each([
    [5, 1, 3, 2, '5 partners, c = 1: t = max(3, floor((5 + 1) / 2) + 1) = 4, so 2 drop-outs leave 3 < 4'],
    [5, 1, 3, 1, '5 partners, c = 1: t = max(3, floor((5 + 1) / 2) + 1) = 4, so 1 drop-out leaves 4 >= 4'],
    [
      4,
      1,
      4,
      1,
      '4 partners, c = 1: t = max(3, floor((4 + 1) / 2) + 1) = 3, the sum needs max(t = 3, c + 2 = 3, minSum = 4, 3) = 4, so 1 drop-out leaves 3 < 4',
    ],
  ])('says the arithmetic for n = %d, c = %d, minSum = %d, %d drop-outs', (n, c, minSum, drops, words) => {
    expect(explainDropouts(n, c, minSum, drops)).toBe(words);
  });
});
