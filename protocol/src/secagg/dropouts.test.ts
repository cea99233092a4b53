import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { TributaryError } from '../errors.ts';
import { checkSentinels } from '../ring/index.ts';
import {
  type Attempt,
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  maskAll,
  type Partner,
  plainSum,
  survivorsOf,
  unmaskAll,
  unmaskedSum,
  uploadAll,
  withMemory,
} from './fixtures.ts';
import { leave } from './server-machine.ts';
import { awaited } from './server-outlook.ts';

const crypto = withMemory(nodeCrypto);

/** How a partner ends: before which of the phases it falls silent, and whether it says so, before the list freezes or after. */
interface Fate {
  /** 0 advert, 1 deals, 2 upload, 3 agreement, 4 shares, 5 never. */
  readonly until: number;
  readonly says: 'nothing' | 'leave-before-freeze' | 'end-before-freeze' | 'leave-after-freeze';
}

const fate: fc.Arbitrary<Fate> = fc.record({
  until: fc.oneof(
    { weight: 7, arbitrary: fc.constant(5) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 4 }) },
  ),
  says: fc.constantFrom('nothing', 'leave-before-freeze', 'end-before-freeze', 'leave-after-freeze'),
});

const PHASES = [advertAll, dealAll, maskAndUpload, agreeAll, unmaskAll];

function maskAndUpload(attempt: Attempt, partners: Partner[]): void {
  maskAll(attempt, partners);
  uploadAll(attempt, partners);
}

/** Runs until the sum or a typed abort. The coordinator's state goes through JSON after every phase. */
function play(attempt: Attempt, fates: readonly Fate[]): Uint32Array | TributaryError {
  const leaving = (until: number, says: Fate['says']) =>
    attempt.partners.filter((_, i) => fates[i]!.until === until && fates[i]!.says === says);
  try {
    PHASES.forEach((phase, at) => {
      for (const { id } of leaving(at, 'leave-before-freeze')) attempt.state = leave(attempt.state, id);
      for (const { id } of leaving(at, 'end-before-freeze'))
        attempt.state = leave(attempt.state, id, 'stands');
      const answering = attempt.partners.filter((_, i) => fates[i]!.until > at);
      phase(attempt, answering);
      for (const { id } of leaving(at, 'leave-after-freeze')) attempt.state = leave(attempt.state, id);
      attempt.state = JSON.parse(JSON.stringify(attempt.state)) as Attempt['state'];
    });
    return unmaskedSum(attempt);
  } catch (error) {
    if (error instanceof TributaryError) return error;
    throw error;
  }
}

/** Phase `agree`, before which U3 is frozen: the vectors of members whose process ended stand. */
const U3 = 3;

/** The list that is frozen before phase `at`, by arithmetic alone: who answered the phase before and did not leave in time. */
function listed(fates: readonly Fate[], at: number): number {
  return fates.filter(({ until, says }) => {
    const gone = says === 'leave-before-freeze' || (says === 'end-before-freeze' && at !== U3);
    return until > at || (until === at && !gone);
  }).length;
}

function bearable(fates: readonly Fate[], c: number): boolean {
  const n = listed(fates, 1);
  const t = Math.max(3, Math.floor((n + c) / 2) + 1);
  const answering = (at: number) => fates.filter(({ until }) => until > at).length;
  return (
    n >= t &&
    listed(fates, 2) >= t &&
    listed(fates, U3) >= Math.max(t, c + 2) &&
    answering(U3) >= t &&
    answering(4) >= t
  );
}

const scenario = fc
  .record({
    n: fc.integer({ min: 3, max: 12 }),
    c: fc.integer({ min: 1, max: 3 }),
    d: fc.integer({ min: 1, max: 40 }),
  })
  .chain(({ n, c, d }) =>
    fc.record({
      n: fc.constant(n),
      c: fc.constant(c),
      d: fc.constant(d),
      fates: fc.array(fate, { minLength: n, maxLength: n }),
      seed: fc.constantFrom('a', 'b'),
    }),
  );

it('random drop-outs and leaves in every phase: the exact sum mod 2^32 or a typed abort, as the floors say', () => {
  const outcomes = { sum: 0, abort: 0 };
  fc.assert(
    fc.property(scenario, ({ n, c, d, fates, seed }) => {
      const attempt = createAttempt({
        n,
        c,
        parameters: d,
        seed,
        crypto: () => crypto,
        serverCrypto: crypto,
      });
      const result = play(attempt, fates);
      if (!bearable(fates, c)) {
        expect(result).toBeInstanceOf(TributaryError);
        expect((result as TributaryError).code).toBe('below-threshold');
        outcomes.abort++;
        return;
      }
      expect(result).toEqual(plainSum(attempt));
      checkSentinels(result as Uint32Array, survivorsOf(attempt).length);
      outcomes.sum++;
    }),
    { numRuns: 120 },
  );
  // Neither branch is empty.
  expect(Math.min(outcomes.sum, outcomes.abort)).toBeGreaterThan(10);
}, 120_000);

it('a node lost in any phase of set-up does not break the round while the floors hold (it does in Flower)', () => {
  for (const until of [0, 1, 2, 3, 4]) {
    const attempt = createAttempt({ n: 7 });
    const fates = attempt.partners.map((_, i): Fate => ({ until: i === 3 ? until : 5, says: 'nothing' }));
    expect(play(attempt, fates)).toEqual(plainSum(attempt));
  }
});

it('the last partner but two leaving ends the attempt, typed', () => {
  const attempt = createAttempt({ n: 3 });
  advertAll(attempt);
  attempt.state = leave(attempt.state, attempt.partners[0]!.id);
  expect(awaited(attempt.state)).toEqual([]);
  expect(() => dealAll(attempt)).toThrow(expect.objectContaining({ code: 'below-threshold' }));
});
