import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import {
  type Abandonment,
  abandonmentOf,
  requireAbandoned,
  signAbandonment,
  verifyAbandonment,
} from './abandon.ts';
import { leaveAttempt } from './client-state.ts';
import {
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  identities,
  maskAll,
  unmaskAll,
  uploadAll,
} from './fixtures.ts';
import { abandonQuorum, threshold } from './thresholds.ts';

describe('the quorum', () => {
  it('leaves fewer than t shares within reach, whoever of the signers lies, for every cohort', () => {
    for (let n = 3; n <= 128; n++)
      for (let c = 1; c < n; c++) {
        const t = threshold(n, c);
        if (t > n) continue;
        const signers = abandonQuorum({ n, t, c });
        expect(signers).toBeLessThanOrEqual(n);
        const silent = n - signers;
        // c liars among the signers reveal what they have, and so does everybody who did not sign.
        expect(silent + c).toBeLessThan(t);
        // One signature less would not do.
        expect(silent + 1 + c).toBeGreaterThanOrEqual(t);
      }
  });
});

describe('what a member may sign', () => {
  const phases = [advertAll, dealAll, maskAll, uploadAll, agreeAll, unmaskAll];

  it('is nothing before U1, which names who could unmask, and nothing once a share was revealed', () => {
    const attempt = createAttempt({ n: 5 });
    const partner = attempt.partners[0]!;
    const may = [abandonmentOf(partner.state) !== null];
    for (const play of phases) {
      play(attempt);
      may.push(abandonmentOf(partner.state) !== null);
    }
    // announced, advertised, dealt, masked, uploaded, agreed, unmasked
    expect(may).toEqual([false, false, true, true, true, true, false].slice(0, may.length));
  });

  it('is nothing once it has left: the state no longer tells what was revealed', () => {
    const attempt = createAttempt({ n: 5 });
    for (const play of phases.slice(0, 4)) play(attempt);
    expect(abandonmentOf(leaveAttempt(attempt.partners[0]!.state, 'late', 'gone'))).toBeNull();
  });

  it('is nothing in plain mode, where the coordinator has the vector', () => {
    const attempt = createAttempt({ n: 5, mode: 'plain' });
    for (const play of phases.slice(0, 3)) play(attempt);
    expect(abandonmentOf(attempt.partners[0]!.state)).toBeNull();
  });
});

describe('a certificate', () => {
  const members = identities(6);
  const ids = members.map(({ id }) => id);
  const quorum = { members: ids.slice(0, 5), quorum: 3 };
  const abandonment: Abandonment = {
    coordinator: identities(1, 'coordinator')[0]!.id,
    announcement: 'a'.repeat(64),
    roster: 'b'.repeat(64),
  };
  const by = (index: number, of = abandonment) => ({
    member: ids[index]!,
    signature: signAbandonment(nodeCrypto, members[index]!, of),
  });
  const check = (signatures: ReturnType<typeof by>[]) =>
    requireAbandoned(nodeCrypto, abandonment, quorum, signatures);

  it('names its signers', () => {
    expect(check([by(3), by(1), by(0), by(1)])).toEqual([ids[0], ids[1], ids[3]].sort());
  });

  const forged: [string, ReturnType<typeof by>[]][] = [
    ['too few', [by(0), by(1)]],
    ['one member three times', [by(0), by(0), by(0), by(1)]],
    ['a stranger to U1', [by(0), by(1), by(5)]],
    [
      'a signature on another attempt',
      [by(0), by(1), by(2, { ...abandonment, announcement: 'c'.repeat(64) })],
    ],
    ['a signature on another U1', [by(0), by(1), by(2, { ...abandonment, roster: 'c'.repeat(64) })]],
    ['a signature for another coordinator', [by(0), by(1), by(2, { ...abandonment, coordinator: ids[0]! })]],
    ['a signature under another name', [by(0), by(1), { ...by(0), member: ids[2]! }]],
    ['garbage', [by(0), by(1), { member: ids[2]!, signature: 'A'.repeat(86) }]],
  ];
  it.each(forged)('does not count %s', (_, signatures) => {
    expect(() => check(signatures)).toThrow(expect.objectContaining({ code: 'below-threshold' }));
    expect(signatures.every((given) => verifyAbandonment(nodeCrypto, abandonment, given))).toBe(
      _ === 'too few' || _ === 'one member three times' || _ === 'a stranger to U1',
    );
  });
});
