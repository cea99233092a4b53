import { expect, it } from 'vitest';
import { leaveAttempt } from './client-state.ts';
import { advertAll, createAttempt, dealAll, frozenRoster, maskAll } from './fixtures.ts';
import { secretsIn, showRoster } from './fixtures-malice.ts';

const isWiped = (value: unknown) => secretsIn(value).every((secret) => secret.every((byte) => byte === 0));

it('every secret is wiped as soon as no later phase needs it', () => {
  const attempt = createAttempt({ n: 3 });
  const partner = attempt.partners[0]!;
  advertAll(attempt);
  const advertised = partner.state;
  expect(isWiped(advertised)).toBe(false);
  dealAll(attempt);
  expect(isWiped(advertised)).toBe(true);
  const dealt = partner.state;
  if (dealt.phase !== 'dealt') throw new Error('unreachable');
  expect(isWiped(dealt)).toBe(false);
  maskAll(attempt);
  expect(isWiped([dealt.peers, dealt.seed])).toBe(true);
  // The shares are still due.
  expect(isWiped(partner.state)).toBe(false);
});

it('leaving wipes everything, says why, and answers nothing any more', () => {
  const attempt = createAttempt({ n: 3 });
  const partner = attempt.partners[0]!;
  advertAll(attempt);
  const { roster, signature } = frozenRoster(attempt);
  const advertised = partner.state;
  partner.state = leaveAttempt(partner.state, 'policy-refused', 'the owner said stop');
  expect(isWiped(advertised)).toBe(true);
  expect(leaveAttempt(partner.state, 'internal', 'again')).toBe(partner.state);
  expect(showRoster(attempt, partner, roster, signature)).toMatchObject({
    kind: 'refused',
    error: { code: 'wrong-attempt', message: expect.stringContaining('the owner said stop') },
  });
});
