import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { toBase64 } from '../encoding.ts';
import { sign } from '../identity.ts';
import { agreementOf, survivorsHash } from './binding.ts';
import type { AgreementSignature } from './client-unmask.ts';
import {
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  identities,
  maskAll,
  take,
  uploadAll,
} from './fixtures.ts';
import { expectRefusal, showAgreement } from './fixtures-malice.ts';
import type { ServerAttempt } from './server-state.ts';

/** n = 6, t = 4; the last one dropped out after U2. The victim has signed U3. */
function scene() {
  const attempt = createAttempt({ n: 6 });
  const alive = attempt.partners.slice(0, 5);
  advertAll(attempt);
  dealAll(attempt);
  maskAll(attempt);
  uploadAll(attempt, alive);
  agreeAll(attempt, alive);
  const state = attempt.state as Extract<ServerAttempt, { phase: 'unmask' }>;
  const members = [...identities(6), ...identities(1, 'stranger')];
  const survivors = state.survivors.statement;
  /** A real signature of member i, over any statement. */
  const signed = (i: number, changes: object = {}): AgreementSignature => {
    const binding = { ...survivors, ...changes };
    const hash = survivorsHash(nodeCrypto, survivors);
    const statement = { ...agreementOf(binding, hash, members[i]!.id), ...changes };
    return {
      member: members[i]!.id,
      signature: sign(nodeCrypto, members[i]!, 'survivor-agreement', statement),
    };
  };
  return { attempt, victim: attempt.partners[0]!, signed };
}

describe('agreement on U3', () => {
  it('by t members of U3 is answered with one share for each member of U2, never two', () => {
    const { victim, signed, attempt } = scene();
    const { shares } = take(
      victim,
      showAgreement(
        victim,
        [0, 1, 2, 3].map((i) => signed(i)),
      ),
    );
    expect(shares.seeds.map(({ of }) => of)).toEqual(attempt.partners.slice(0, 5).map(({ id }) => id));
    expect(shares.maskKeys.map(({ of }) => of)).toEqual([attempt.partners[5]!.id]);
  });

  const forged: [
    string,
    (signed: (i: number, changes?: object) => AgreementSignature) => AgreementSignature[],
  ][] = [
    ['by nobody', () => []],
    ['by t - 1', (signed) => [signed(0), signed(1), signed(2)]],
    ['by one member four times', (signed) => [signed(1), signed(1), signed(1), signed(1)]],
    ['by t - 1 and one of them again', (signed) => [signed(0), signed(1), signed(2), signed(2)]],
    [
      'by t - 1 and a member of U2 that is not in U3',
      (signed) => [signed(0), signed(1), signed(2), signed(5)],
    ],
    ['by t - 1 and a stranger', (signed) => [signed(0), signed(1), signed(2), signed(6)]],
    [
      'by t - 1 and a forged one',
      (signed) => [
        signed(0),
        signed(1),
        signed(2),
        { ...signed(3), signature: toBase64(new Uint8Array(64)) },
      ],
    ],
    [
      'by t - 1 and one relabelled',
      (signed) => [signed(0), signed(1), signed(2), { ...signed(2), member: signed(3).member }],
    ],
    ['by t, one of them on another U3', (s) => [s(0), s(1), s(2), s(3, { survivors: '0'.repeat(64) })]],
    ['by t, one of them on another U2', (s) => [s(0), s(1), s(2), s(3, { cohort: '0'.repeat(64) })]],
    ['by t, one of them on another U1', (s) => [s(0), s(1), s(2), s(3, { roster: '0'.repeat(64) })]],
    [
      'by t, one of them in another attempt',
      (s) => [s(0), s(1), s(2), s(3, { announcement: '0'.repeat(64) })],
    ],
    [
      'by t, one of them for another coordinator',
      (s) => [s(0), s(1), s(2), s(3, { coordinator: identities(1)[0]!.id })],
    ],
  ];
  it.each(forged)('%s is refused, and no share leaves', (_, forge) => {
    const { victim, signed } = scene();
    const before = victim.state;
    expectRefusal(before, showAgreement(victim, forge(signed)), 'below-threshold', 't = 4');
  });

  it('before U3 was shown is the wrong phase', () => {
    const { signed } = scene();
    const attempt = createAttempt({ n: 6 });
    advertAll(attempt);
    dealAll(attempt);
    maskAll(attempt);
    const step = showAgreement(
      attempt.partners[0]!,
      [0, 1, 2, 3].map((i) => signed(i)),
    );
    expect(step).toMatchObject({ kind: 'refused', error: { code: 'wrong-phase' } });
  });

  it('asked for again with signatures that are none ends the attempt', () => {
    const { victim, signed } = scene();
    take(
      victim,
      showAgreement(
        victim,
        [0, 1, 2, 3].map((i) => signed(i)),
      ),
    );
    expectRefusal(victim.state, showAgreement(victim, [signed(0)]), 'below-threshold');
  });

  it('leaves no secret in memory once the shares are out', () => {
    const { victim, signed } = scene();
    const before = victim.state;
    take(
      victim,
      showAgreement(
        victim,
        [0, 1, 2, 3].map((i) => signed(i)),
      ),
    );
    if (before.phase !== 'agreed') throw new Error('unreachable');
    for (const { mask, seed } of before.shares)
      expect([...mask, ...seed].every((byte) => byte === 0)).toBe(true);
  });
});
