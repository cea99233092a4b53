/** Dealers whose shares are all signed and hashed correctly, but do not add up: only reconstruction can tell. */
import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import type { Random } from '../crypto/port.ts';
import { fromBase64, toBase64 } from '../encoding.ts';
import { sign } from '../identity.ts';
import {
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  frozenRoster,
  identities,
  maskAll,
  type Partner,
  plainSum,
  take,
  unmaskAll,
  unmaskedSum,
  uploadAll,
} from './fixtures.ts';
import { showAgreement, showRoster } from './fixtures-malice.ts';
import { sealShares, seedCommitment, shareHash } from './keys.ts';
import { receiveDeals } from './server-share.ts';
import { agreement, receiveUnmaskShares, reconstruct } from './server-unmask.ts';
import { split } from './shamir.ts';
import type { SignedDeal } from './statements.ts';

const N = 6;
const MALLORY = 2;

type Dealing = { mask: Uint8Array[]; seed: Uint8Array[]; commitment: Uint8Array };

/** Everything honest but the polynomials of member 2. Member `dropped` does not upload. */
function attemptWith(dealing: (n: number, t: number, random: Random) => Dealing, dropped: number | null) {
  const attempt = createAttempt({ n: N });
  advertAll(attempt);
  const { roster } = frozenRoster(attempt);
  attempt.partners.forEach((partner, i) => {
    const { deals } = take(partner, showRoster(attempt, partner, roster));
    const sent = i === MALLORY ? redeal(partner, deals, dealing(N, 4, partner.random)) : deals;
    attempt.state = receiveDeals(attempt.state, attempt.server, partner.id, sent);
  });
  // Mallory's client believes its own commitment; U2 shows the one that was dealt.
  const mallory = attempt.partners[MALLORY]!;
  if (mallory.state.phase !== 'dealt' || attempt.state.phase !== 'share') throw new Error('unreachable');
  const commitment = attempt.state.deals[mallory.id]![0]!.deal.seedCommitment;
  mallory.state = { ...mallory.state, seedCommitment: commitment };
  maskAll(attempt);
  const alive = attempt.partners.filter((_, i) => i !== dropped);
  uploadAll(attempt, alive);
  agreeAll(attempt, alive);
  return { attempt, alive, mallory };
}

function redeal(partner: Partner, deals: readonly SignedDeal[], dealing: Dealing): SignedDeal[] {
  if (partner.state.phase !== 'dealt') throw new Error('unreachable');
  const { peers, roster } = partner.state;
  const identity = identities(N)[MALLORY]!;
  return deals.map(({ deal }, i) => {
    const at = roster.members.indexOf(deal.receiver);
    const passage = { ...deal, roster: roster.hash };
    const [mask, seed] = [dealing.mask[at]!, dealing.seed[at]!];
    const changed = {
      ...deal,
      seedCommitment: seedCommitment(nodeCrypto, deal.announcement, identity.id, dealing.commitment),
      maskShareHash: shareHash(nodeCrypto, 'mask', passage, mask),
      seedShareHash: shareHash(nodeCrypto, 'seed', passage, seed),
      ciphertext: toBase64(sealShares(nodeCrypto, peers[i]!.encryption, passage, mask, seed)),
    };
    return { deal: changed, signature: sign(nodeCrypto, identity, 'shares', changed) };
  });
}

describe('a dealer whose shares do not add up', () => {
  it.each([
    [
      'deals shares of another mask key than it advertised',
      MALLORY,
      (n: number, t: number, random: Random): Dealing => {
        const seed = random(32);
        return { mask: split(random(32), n, t, random), seed: split(seed, n, t, random), commitment: seed };
      },
    ],
    [
      'deals shares of another seed than it committed to',
      5,
      (n: number, t: number, random: Random): Dealing => ({
        mask: split(random(32), n, t, random),
        seed: split(random(32), n, t, random),
        commitment: random(32),
      }),
    ],
    [
      'deals shares that lie on no polynomial of degree t - 1',
      5,
      (n: number, t: number, random: Random): Dealing => {
        const seed = random(32);
        const shares = split(seed, n, t, random);
        shares[0]![0]! ^= 1;
        return { mask: split(random(32), n, t, random), seed: shares, commitment: seed };
      },
    ],
  ])('%s: is convicted, nobody else is, and there is no order', (_, dropped, dealing) => {
    const { attempt, alive, mallory } = attemptWith(dealing, dropped);
    unmaskAll(attempt, alive);
    expect(reconstruct(attempt.state, attempt.server)).toEqual({ kind: 'convicted', dealers: [mallory.id] });
  });

  it('reveals a wrong share of its own seed: only it can do so, and only it is convicted', () => {
    const attempt = createAttempt({ n: 5 });
    const alive = attempt.partners.slice(0, 4);
    for (const phase of [advertAll, dealAll, maskAll]) phase(attempt);
    uploadAll(attempt, alive);
    agreeAll(attempt, alive);
    // t = 4 of the 4 that are left: every seed needs its owner's own share.
    for (const partner of alive) {
      const { shares } = take(partner, showAgreement(partner, agreement(attempt.state)!));
      const own = shares.seeds.find(({ of }) => of === partner.id)!;
      const bytes = fromBase64(own.share);
      if (partner === alive[1]) bytes[3]! ^= 1;
      const seeds = shares.seeds.map((entry) => (entry === own ? { ...own, share: toBase64(bytes) } : entry));
      attempt.state = receiveUnmaskShares(attempt.state, attempt.server, partner.id, { ...shares, seeds });
    }
    expect(reconstruct(attempt.state, attempt.server)).toEqual({
      kind: 'convicted',
      dealers: [alive[1]!.id],
    });
  });

  it('and a wrong own share does no harm where t others have answered', () => {
    const attempt = createAttempt({ n: 6 });
    for (const phase of [advertAll, dealAll, maskAll, uploadAll, agreeAll]) phase(attempt);
    for (const [i, partner] of attempt.partners.entries()) {
      const { shares } = take(partner, showAgreement(partner, agreement(attempt.state)!));
      const seeds = shares.seeds.map((entry) => {
        if (i !== 1 || entry.of !== partner.id) return entry;
        const bytes = fromBase64(entry.share);
        bytes[3]! ^= 1;
        return { ...entry, share: toBase64(bytes) };
      });
      attempt.state = receiveUnmaskShares(attempt.state, attempt.server, partner.id, { ...shares, seeds });
    }
    expect(unmaskedSum(attempt)).toEqual(plainSum(attempt));
  });
});
