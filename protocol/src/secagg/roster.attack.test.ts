import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { fromBase64, fromHex, toBase64 } from '../encoding.ts';
import { sign } from '../identity.ts';
import { receiveCohort } from './client-machine.ts';
import { advertAll, createAttempt, dealAll, identities, maskAll, type Options, take } from './fixtures.ts';
import {
  advertBy,
  byMember,
  expectRefusal,
  honestRoster,
  showRoster,
  withAdverts,
} from './fixtures-malice.ts';
import type { Roster } from './statements.ts';

/** Everybody has advertised; the victim waits for U1. */
function scene(options: Options) {
  const attempt = createAttempt(options);
  advertAll(attempt);
  const roster = honestRoster(attempt);
  const victim = attempt.partners[0]!;
  const show = (shown: Roster, signature?: string) => showRoster(attempt, victim, shown, signature);
  const members = identities(options.n);
  const refuse = (shown: Roster, code: Parameters<typeof expectRefusal>[2], words?: string) =>
    expectRefusal(victim.state, show(shown), code, words);
  return { attempt, roster, victim, show, refuse, members };
}

const inventions = (count: number, roster: Roster) =>
  identities(count, 'invented').map((identity, i) =>
    advertBy(identity, roster.adverts[0]!, {
      encryptionKey: toBase64(nodeCrypto.x25519PublicKey(new Uint8Array(32).fill(i + 1))),
      maskKey: toBase64(nodeCrypto.x25519PublicKey(new Uint8Array(32).fill(i + 101))),
    }),
  );

describe('a lying coordinator’s U1', () => {
  it('honest, it is answered with a deal for every other member', () => {
    const { show, roster } = scene({ n: 5 });
    expect(show(roster)).toMatchObject({ kind: 'answered', deals: { length: 4 } });
  });

  it('with one invented partner', () => {
    const { refuse, roster } = scene({ n: 5 });
    const [invented] = inventions(1, roster);
    refuse(
      withAdverts(roster, [...roster.adverts, invented!]),
      'stranger-in-roster',
      invented!.advert.member,
    );
  });

  it('with as many invented partners as the announced c leaves room for, and one more', () => {
    for (const [count, allowed] of [
      [1, true],
      [2, true],
      [3, false],
    ] as const) {
      const { show, roster, victim } = scene({ n: 6, c: 3, floors: { collusion: 1 } });
      const shown = withAdverts(roster, [...roster.adverts, ...inventions(count, roster)]);
      const step = show(shown);
      if (allowed) expect(step.kind).toBe('answered');
      else expectRefusal(victim.state, step, 'stranger-in-roster', 'own collusion 1 + 3 strangers need 4');
    }
  });

  it('with inventions that fill minRoster up, under a c that would bear them', () => {
    const { refuse, roster } = scene({ n: 4, c: 3, floors: { collusion: 1, minRoster: 5 } });
    const shown = withAdverts(roster, [...roster.adverts, ...inventions(2, roster)]);
    refuse(shown, 'policy-refused', 'minRoster is 5, U1 holds 4 pinned members (of 6)');
  });

  it('with the victim alone among inventions', () => {
    const { refuse, roster } = scene({ n: 3 });
    refuse(withAdverts(roster, [roster.adverts[0]!, ...inventions(9, roster)]), 'stranger-in-roster');
  });

  it('truncated, so that t falls', () => {
    const { refuse, roster } = scene({ n: 7, floors: { minRoster: 5 } });
    const four = { ...roster, adverts: roster.adverts.slice(0, 4) };
    refuse(four, 'policy-refused', 'minRoster is 5, U1 holds 4');
  });

  it('truncated below the hard floor, whatever the policy says', () => {
    const { refuse, roster } = scene({ n: 3, floors: { minRoster: 1 } });
    refuse({ ...roster, adverts: roster.adverts.slice(0, 2) }, 'policy-refused', 'minRoster is 3');
  });

  it.each(['encryptionKey', 'maskKey'] as const)('with a swapped %s', (field) => {
    const { refuse, roster } = scene({ n: 4 });
    const own = toBase64(nodeCrypto.x25519PublicKey(new Uint8Array(32).fill(9)));
    const adverts = roster.adverts.map((signed, i) =>
      i === 2 ? { ...signed, advert: { ...signed.advert, [field]: own } } : signed,
    );
    refuse({ ...roster, adverts }, 'bad-signature', roster.adverts[2]!.advert.member);
  });

  it('with an unsigned key, or one that the coordinator itself or another member signed', () => {
    for (const signer of [null, 'coordinator', 'member'] as const) {
      const { refuse, roster, attempt, members } = scene({ n: 4 });
      const { advert } = roster.adverts[2]!;
      const identity = signer === 'coordinator' ? attempt.server.identity : members[1]!;
      const signature = signer ? sign(nodeCrypto, identity, 'advert', advert) : toBase64(new Uint8Array(64));
      const adverts = roster.adverts.map((signed, i) => (i === 2 ? { advert, signature } : signed));
      refuse({ ...roster, adverts }, 'bad-signature', advert.member);
    }
  });

  it('without the victim, or with other keys in its name', () => {
    const { refuse, roster } = scene({ n: 4 });
    refuse({ ...roster, adverts: roster.adverts.slice(1) }, 'equivocation');
    const second = scene({ n: 4 });
    const signature = second.roster.adverts[1]!.signature;
    const adverts = second.roster.adverts.map((signed, i) => (i === 0 ? { ...signed, signature } : signed));
    second.refuse({ ...second.roster, adverts }, 'equivocation');
  });

  it('with one member counted twice, or out of order', () => {
    const { refuse, roster } = scene({ n: 4 });
    const twice = [...roster.adverts, roster.adverts[1]!].sort(byMember);
    refuse({ ...roster, adverts: twice }, 'malformed', 'once');
    const second = scene({ n: 4 });
    second.refuse({ ...second.roster, adverts: [...second.roster.adverts].reverse() }, 'malformed');
  });

  it.each([
    ['somebody’s mask key as one’s own', 1, 'maskKey', 'maskKey'],
    ['somebody’s encryption key as one’s own', 1, 'encryptionKey', 'encryptionKey'],
    ['somebody’s encryption key as one’s mask key', 1, 'encryptionKey', 'maskKey'],
    ['the victim’s mask key as one’s own', 0, 'maskKey', 'maskKey'],
    ['one key for both purposes', 2, 'encryptionKey', 'maskKey'],
  ] as const)('passing on a member that shows %s', (_, from, field, as) => {
    const { refuse, roster, members } = scene({ n: 4 });
    const copied = advertBy(members[2]!, roster.adverts[2]!, { [as]: roster.adverts[from]!.advert[field] });
    const adverts = roster.adverts.map((signed, i) => (i === 2 ? copied : signed));
    refuse({ ...roster, adverts }, 'bad-signature', 'same key');
  });

  it.each([
    ['0000000000000000000000000000000000000000000000000000000000000000', 'low order'],
    ['e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'low order'],
    ['ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'low order'],
    ['edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'canonical'],
  ])('passing on a member with key %s: %s', (hex, words) => {
    for (const field of ['encryptionKey', 'maskKey'] as const) {
      const { refuse, roster, members } = scene({ n: 4 });
      const low = advertBy(members[2]!, roster.adverts[2]!, { [field]: toBase64(fromHex(hex)) });
      const adverts = roster.adverts.map((signed, i) => (i === 2 ? low : signed));
      refuse({ ...roster, adverts }, 'bad-signature', words);
    }
  });

  it('passing on a copied key under its second encoding (top bit set)', () => {
    const { refuse, roster, members } = scene({ n: 4 });
    const bytes = fromBase64(roster.adverts[1]!.advert.maskKey);
    bytes[31]! |= 0x80;
    const copied = advertBy(members[2]!, roster.adverts[2]!, { maskKey: toBase64(bytes) });
    const adverts = roster.adverts.map((signed, i) => (i === 2 ? copied : signed));
    refuse({ ...roster, adverts }, 'bad-signature', 'canonical');
  });

  it('of 129 members', () => {
    const { refuse, roster } = scene({ n: 3 });
    refuse(withAdverts(roster, [...roster.adverts, ...inventions(126, roster)]), 'cohort-too-large', '129');
  });

  it('unsigned, signed by somebody else, or altered after signing', () => {
    const forgers = [
      (): string => toBase64(new Uint8Array(64)),
      (roster: Roster) => sign(nodeCrypto, identities(4)[1]!, 'roster', roster),
      (roster: Roster) => sign(nodeCrypto, identities(4)[1]!, 'cohort', roster),
    ];
    for (const forge of forgers) {
      const { show, victim, roster } = scene({ n: 4 });
      expectRefusal(victim.state, show(roster, forge(roster)), 'bad-signature', 'roster');
    }
    const { show, victim, roster, attempt } = scene({ n: 4 });
    const signature = sign(nodeCrypto, attempt.server.identity, 'roster', roster);
    const altered = { ...roster, adverts: roster.adverts.slice(0, 3) };
    expectRefusal(victim.state, show(altered, signature), 'bad-signature');
  });

  it('replayed from an earlier attempt with the very same members', () => {
    const earlier = scene({ n: 4 });
    const { show, victim } = scene({ n: 4, fields: { attempt: 2 } });
    expectRefusal(victim.state, show(earlier.roster), 'wrong-attempt', 'announcement');
  });

  it('shown a second time in another version ends the attempt, and nothing is dealt again', () => {
    const { attempt, show, victim, roster } = scene({ n: 5 });
    take(victim, show(roster));
    const before = victim.state;
    const second = show({ ...roster, adverts: roster.adverts.slice(0, 4) });
    const { state } = expectRefusal(before, second, 'equivocation', 'U1 was');
    victim.state = state;
    expect(showRoster(attempt, victim, roster)).toMatchObject({
      kind: 'refused',
      error: { code: 'wrong-attempt' },
    });
  });

  it('shown again unchanged is answered with the same bytes, in every later phase', () => {
    const attempt = createAttempt({ n: 3 });
    advertAll(attempt);
    const roster = honestRoster(attempt);
    const victim = attempt.partners[0]!;
    dealAll(attempt);
    const first = take(victim, showRoster(attempt, victim, roster)).deals;
    maskAll(attempt);
    expect(take(victim, showRoster(attempt, victim, roster)).deals).toEqual(first);
  });

  it('before the advert, or U2 before U1, is the wrong phase: nothing is answered, nothing lost', () => {
    const { roster, attempt } = scene({ n: 3 });
    const fresh = createAttempt({ n: 3 }).partners[0]!;
    const early = showRoster(attempt, fresh, roster);
    expect(early).toMatchObject({ kind: 'refused', error: { code: 'wrong-phase' } });
    expect(early.state).toBe(fresh.state);
    const victim = attempt.partners[0]!;
    const cohort = { ...roster, roster: '0'.repeat(64), members: [] };
    const step = receiveCohort(victim.state, victim.context, cohort, '', []);
    expect(step).toMatchObject({ kind: 'refused', error: { code: 'wrong-phase' } });
    expect(step.state).toBe(victim.state);
  });
});
