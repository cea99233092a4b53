import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { fromBase64, fromHex, toBase64 } from '../encoding.ts';
import type { ErrorCode } from '../errors.ts';
import { type Identity, sign } from '../identity.ts';
import {
  type Attempt,
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  frozenCohort,
  frozenRoster,
  identities,
  maskAll,
  take,
  unmaskAll,
  uploadAll,
} from './fixtures.ts';
import { advertBy, showAgreement, showRoster } from './fixtures-malice.ts';
import { leave, receiveAdvert } from './server-machine.ts';
import { freezeSurvivors, receiveDeals, receiveUpdate } from './server-share.ts';
import { agreement, receiveAgreementSignature, receiveUnmaskShares } from './server-unmask.ts';
import type { SignedAdvert, SignedDeal, UnmaskShares } from './statements.ts';

const PHASES = [advertAll, dealAll, maskAll, uploadAll, agreeAll, unmaskAll];
const zeros = (n: number) => toBase64(new Uint8Array(n));

/** Honest up to and including `phases` of them. Member 2 is the malicious one. */
function scene(phases: number, n = 5) {
  const attempt = createAttempt({ n });
  for (const phase of PHASES.slice(0, phases)) phase(attempt);
  const members = identities(n);
  return { attempt, members, ids: members.map(({ id }) => id), mallory: members[2]! };
}

/** The coordinator refuses with this code, naming the member, and its state stays what it was. */
function refuses(attempt: Attempt, run: () => unknown, code: ErrorCode, words = ''): void {
  const before = JSON.stringify(attempt.state);
  expect(run).toThrow(expect.objectContaining({ code, message: expect.stringContaining(words) }));
  expect(JSON.stringify(attempt.state)).toBe(before);
}

describe('a malicious partner’s advert', () => {
  function advertised() {
    const { attempt, mallory, ids, members } = scene(1);
    if (attempt.state.phase !== 'advertise') throw new Error('unreachable');
    const own = attempt.state.adverts[mallory.id]!;
    const { [mallory.id]: _, ...adverts } = attempt.state.adverts;
    attempt.state = { ...attempt.state, adverts };
    const send = (signed: SignedAdvert, member = mallory.id) =>
      receiveAdvert(attempt.state, attempt.server, member, signed);
    return { attempt, mallory, ids, members, own, adverts, send };
  }

  it('sent twice unchanged changes nothing, sent twice with other keys is a conflict', () => {
    const { attempt, own, send, mallory } = advertised();
    attempt.state = send(own);
    expect(send(own)).toBe(attempt.state);
    const other = advertBy(mallory, own, {
      maskKey: toBase64(nodeCrypto.x25519PublicKey(new Uint8Array(32).fill(5))),
    });
    refuses(attempt, () => send(other), 'conflict', mallory.id);
  });

  it('in another’s name, with another’s signature or key, or bound elsewhere, is refused', () => {
    const { attempt, own, adverts, send, mallory, ids, members } = advertised();
    const victim = adverts[ids[0]!]!;
    refuses(attempt, () => send(victim), 'bad-signature', `names ${ids[0]}`);
    refuses(attempt, () => send({ ...own, signature: victim.signature }), 'bad-signature', mallory.id);
    refuses(attempt, () => send(advertBy(members[1]!, own, { member: mallory.id })), 'bad-signature');
    const stolen = { maskKey: victim.advert.maskKey };
    refuses(attempt, () => send(advertBy(mallory, own, stolen)), 'bad-signature', 'same key');
    const elsewhere = { announcement: '0'.repeat(64) };
    refuses(attempt, () => send(advertBy(mallory, own, elsewhere)), 'wrong-attempt', mallory.id);
  });

  it('with a low-order key is refused, so that it cannot make every honest client refuse U1', () => {
    const { attempt, own, send, mallory } = advertised();
    const low = toBase64(fromHex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'));
    for (const field of ['encryptionKey', 'maskKey'])
      refuses(attempt, () => send(advertBy(mallory, own, { [field]: low })), 'bad-signature', 'low order');
  });

  it('by who was not invited, who left, or after the freeze is refused', () => {
    const { attempt, own, send, mallory } = advertised();
    const [stranger] = identities(1, 'stranger');
    refuses(attempt, () => send(advertBy(stranger!, own, {}), stranger!.id), 'wrong-attempt', stranger!.id);
    const open = attempt.state;
    attempt.state = leave(open, mallory.id);
    refuses(attempt, () => send(own), 'wrong-attempt', mallory.id);
    attempt.state = open;
    frozenRoster(attempt);
    refuses(attempt, () => send(own), 'late', mallory.id);
  });
});

describe('a malicious partner’s deals', () => {
  function dealt() {
    const { attempt, mallory, members, ids } = scene(1);
    const { roster } = frozenRoster(attempt);
    const partner = attempt.partners[2]!;
    const deals = take(partner, showRoster(attempt, partner, roster)).deals;
    const send = (sent: readonly SignedDeal[], member = mallory.id) =>
      receiveDeals(attempt.state, attempt.server, member, sent);
    return { attempt, mallory, members, ids, deals, send };
  }
  const resigned = (identity: Identity, { deal }: SignedDeal, changes: Partial<SignedDeal['deal']>) => {
    const changed = { ...deal, ...changes };
    return { deal: changed, signature: sign(nodeCrypto, identity, 'shares', changed) };
  };

  it('forged in another’s name, or unsigned, are refused', () => {
    const { attempt, deals, send, ids, members, mallory } = dealt();
    const forged = deals.map((signed) => resigned(mallory, signed, { dealer: ids[0]! }));
    refuses(attempt, () => send(forged), 'bad-signature', mallory.id);
    const unsigned = [{ ...deals[0]!, signature: zeros(64) }, ...deals.slice(1)];
    refuses(attempt, () => send(unsigned), 'bad-signature', mallory.id);
    const borrowed = deals.map((signed) => resigned(members[0]!, signed, {}));
    refuses(attempt, () => send(borrowed), 'bad-signature', mallory.id);
  });

  it('for strangers, for oneself, twice for one, or too few, are refused', () => {
    const { attempt, deals, send, mallory } = dealt();
    const to = (receiver: string) => [resigned(mallory, deals[0]!, { receiver }), ...deals.slice(1)];
    refuses(attempt, () => send(to(identities(1, 'stranger')[0]!.id)), 'malformed', 'not for');
    refuses(attempt, () => send(to(mallory.id)), 'malformed', 'not for');
    refuses(attempt, () => send(to(deals[1]!.deal.receiver)), 'malformed', 'not for');
    refuses(attempt, () => send(deals.slice(1)), 'malformed', 'needs 4 deals, 3 came');
    refuses(attempt, () => send([]), 'malformed', 'needs 4 deals, 0 came');
    refuses(attempt, () => send([...deals, deals[0]!]), 'malformed', 'not for');
  });

  it('that commit to different seeds towards different receivers are refused', () => {
    const { attempt, deals, send, mallory } = dealt();
    const split = [...deals.slice(0, 3), resigned(mallory, deals[3]!, { seedCommitment: '1'.repeat(64) })];
    refuses(attempt, () => send(split), 'malformed', 'one seed');
  });

  it('bound to another roster or attempt are refused', () => {
    const { attempt, deals, send, mallory } = dealt();
    for (const field of ['roster', 'announcement'])
      refuses(
        attempt,
        () => send(deals.map((signed) => resigned(mallory, signed, { [field]: '0'.repeat(64) }))),
        'wrong-attempt',
        field,
      );
  });

  it('sent twice unchanged change nothing, sent twice differently are a conflict, sent after U2 are late', () => {
    const { attempt, deals, send, mallory, ids } = dealt();
    for (const [i, partner] of attempt.partners.entries()) {
      if (i === 2) continue;
      const { roster } = frozenRoster(attempt);
      attempt.state = receiveDeals(
        attempt.state,
        attempt.server,
        ids[i]!,
        take(partner, showRoster(attempt, partner, roster)).deals,
      );
    }
    const without = attempt.state;
    attempt.state = send(deals);
    expect(send(deals)).toBe(attempt.state);
    const other = deals.map((signed) => resigned(mallory, signed, { seedCommitment: '1'.repeat(64) }));
    refuses(attempt, () => send(other), 'conflict', mallory.id);
    attempt.state = without;
    frozenCohort(attempt);
    refuses(attempt, () => send(deals), 'late', mallory.id);
  });
});

describe('a malicious partner’s vector', () => {
  it('sent twice differently is a conflict: the first write wins', () => {
    const { attempt, ids } = scene(3);
    const send = (hash: string) => receiveUpdate(attempt.state, ids[2]!, hash);
    attempt.state = send('a'.repeat(64));
    expect(send('a'.repeat(64))).toBe(attempt.state);
    refuses(attempt, () => send('b'.repeat(64)), 'conflict', ids[2]!);
  });

  it('from outside U2, before U2 or after U3 is refused; what is in U3 already may be sent again', () => {
    const { attempt, ids } = scene(3);
    const stranger = identities(1, 'stranger')[0]!.id;
    refuses(attempt, () => receiveUpdate(attempt.state, stranger, 'a'.repeat(64)), 'wrong-attempt', stranger);
    uploadAll(attempt, attempt.partners.slice(0, 4));
    const result = freezeSurvivors(attempt.state, attempt.server, { minSum: 3 });
    if (result.kind === 'failed') throw result.error;
    attempt.state = result.state;
    refuses(attempt, () => receiveUpdate(attempt.state, ids[4]!, 'a'.repeat(64)), 'late', ids[4]!);
    refuses(attempt, () => receiveUpdate(attempt.state, ids[0]!, 'a'.repeat(64)), 'late', ids[0]!);
    const { sha256 } = result.survivors.updates[0]!;
    expect(receiveUpdate(attempt.state, ids[0]!, sha256)).toBe(attempt.state);
    const early = scene(2);
    refuses(early.attempt, () => receiveUpdate(early.attempt.state, ids[2]!, 'a'.repeat(64)), 'wrong-phase');
  });
});

describe('a malicious partner’s agreement and shares', () => {
  /** n = 6, t = 4, member 5 dropped out; everybody else has answered but member 2. */
  function unmasking() {
    const { attempt, ids, members } = scene(3, 6);
    const alive = attempt.partners.slice(0, 5);
    uploadAll(attempt, alive);
    agreeAll(attempt, alive);
    unmaskAll(
      attempt,
      alive.filter((_, i) => i !== 2),
    );
    const partner = attempt.partners[2]!;
    const honest = take(partner, showAgreement(partner, agreement(attempt.state)!)).shares;
    const send = (shares: UnmaskShares, member = ids[2]!) =>
      receiveUnmaskShares(attempt.state, attempt.server, member, shares);
    return { attempt, ids, members, honest, send };
  }
  const altered = (share: string, at = 0) => {
    const bytes = fromBase64(share);
    bytes[at]! ^= 1;
    return toBase64(bytes);
  };
  const change = (shares: UnmaskShares['seeds'], at: number, share: (old: string) => string) =>
    shares.map((entry, i) => (i === at ? { ...entry, share: share(entry.share) } : entry));

  it('forged signatures on U3 are refused, from outside U3 too', () => {
    const { attempt, ids } = scene(3, 6);
    uploadAll(attempt, attempt.partners.slice(0, 5));
    agreeAll(attempt, []);
    const send = (member: string, signature: string) =>
      receiveAgreementSignature(attempt.state, attempt.server, member, signature);
    refuses(attempt, () => send(ids[0]!, zeros(64)), 'bad-signature', ids[0]!);
    refuses(attempt, () => send(ids[5]!, zeros(64)), 'wrong-attempt', ids[5]!);
  });

  it('a wrong share is refused with the whole answer, blaming its sender, whatever is wrong about it', () => {
    const { attempt, honest, send, ids } = unmasking();
    const wrong: UnmaskShares[] = [
      { ...honest, seeds: change(honest.seeds, 0, (share) => altered(share)) },
      { ...honest, seeds: change(honest.seeds, 4, (share) => altered(share, 31)) },
      { ...honest, maskKeys: change(honest.maskKeys, 0, (share) => altered(share)) },
      { ...honest, seeds: change(honest.seeds, 1, () => honest.seeds[3]!.share) },
      { ...honest, seeds: change(honest.seeds, 1, (share) => toBase64(fromBase64(share).subarray(0, 32))) },
      // Its own share carries no signature, but must lie at its own x.
      { ...honest, seeds: change(honest.seeds, 2, (share) => altered(share, 32)) },
    ];
    for (const shares of wrong) refuses(attempt, () => send(shares), 'bad-share', ids[2]!);
    expect(send(honest)).not.toBe(attempt.state);
  });

  it('a mask-key share of a living member, a seed share of a dead one, or a list that is not the due one is refused', () => {
    const { attempt, honest, send, ids } = unmasking();
    const wrong: UnmaskShares[] = [
      { seeds: honest.seeds.slice(1), maskKeys: [...honest.maskKeys, honest.seeds[0]!] },
      { seeds: [...honest.seeds, honest.maskKeys[0]!], maskKeys: [] },
      { seeds: honest.seeds.slice(1), maskKeys: honest.maskKeys },
      { seeds: [...honest.seeds, honest.seeds[0]!], maskKeys: honest.maskKeys },
      { seeds: [...honest.seeds].reverse(), maskKeys: honest.maskKeys },
      { seeds: [], maskKeys: [] },
      { seeds: honest.seeds, maskKeys: [] },
      { seeds: honest.seeds, maskKeys: [...honest.maskKeys, honest.seeds[0]!] },
    ];
    for (const shares of wrong) refuses(attempt, () => send(shares), 'malformed', ids[2]!);
  });

  it('two different answers are a conflict, answers from outside U3 are refused', () => {
    const { attempt, honest, send, ids } = unmasking();
    attempt.state = send(honest);
    expect(send(honest)).toBe(attempt.state);
    refuses(attempt, () => send({ ...honest, maskKeys: [] }), 'conflict', ids[2]!);
    refuses(attempt, () => send(honest, ids[5]!), 'wrong-attempt', ids[5]!);
  });

  it('shares before agreement are the wrong phase', () => {
    const { honest } = unmasking();
    const { attempt, ids } = scene(4, 6);
    agreeAll(attempt, attempt.partners.slice(0, 3));
    const send = () => receiveUnmaskShares(attempt.state, attempt.server, ids[2]!, honest);
    refuses(attempt, send, 'wrong-phase', ids[2]!);
  });
});
