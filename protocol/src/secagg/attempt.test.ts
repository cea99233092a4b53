import { describe, expect, it } from 'vitest';
import { checkSentinels } from '../ring/index.ts';
import {
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  maskAll,
  type Options,
  plainSum,
  unmaskAll,
  unmaskedSum,
  uploadAll,
} from './fixtures.ts';

/** One whole attempt in which nobody fails but the last `drops` members, after masking. */
function run(options: Options, drops = 0) {
  const attempt = createAttempt(options);
  const alive = attempt.partners.slice(0, options.n - drops);
  advertAll(attempt);
  dealAll(attempt);
  maskAll(attempt);
  uploadAll(attempt, alive);
  agreeAll(attempt, alive);
  unmaskAll(attempt, alive);
  return { attempt, alive };
}

describe('an attempt', () => {
  it.each([
    [3, 0],
    [4, 1],
    [5, 1],
    [10, 4],
  ])('of %d members without %d of them gives the exact sum', (n, drops) => {
    const { attempt, alive } = run({ n }, drops);
    const sum = unmaskedSum(attempt);
    expect(sum).toEqual(plainSum(attempt));
    checkSentinels(sum, alive.length);
  });
});
