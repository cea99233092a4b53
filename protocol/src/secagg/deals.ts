/** Dealing: one member's mask key and self-mask seed, split over U1 and sealed for each receiver (PROTOCOL.md 6.4). */
import type { Crypto, Random } from '../crypto/port.ts';
import { toBase64 } from '../encoding.ts';
import { type Identity, sign } from '../identity.ts';
import type { Binding } from './binding.ts';
import type { HeldShares, LatchedRoster, PeerSecrets } from './client-state.ts';
import { sealShares, seedCommitment, shareHash } from './keys.ts';
import { split } from './shamir.ts';
import type { SignedDeal } from './statements.ts';

export interface Dealing {
  /** In the order of U1, without the dealer. */
  readonly deals: SignedDeal[];
  readonly commitment: string;
  /** The dealer keeps its own share like any other: n = 5, t = 4 bears a drop-out only because of it. */
  readonly own: HeldShares;
}

/** @param maskSecret, seed 32 bytes each. */
export function dealShares(
  crypto: Crypto,
  identity: Identity,
  binding: Binding,
  roster: LatchedRoster,
  peers: readonly PeerSecrets[],
  maskSecret: Uint8Array,
  seed: Uint8Array,
  random: Random,
): Dealing {
  const n = roster.members.length;
  const maskShares = split(maskSecret, n, roster.threshold, random);
  const seedShares = split(seed, n, roster.threshold, random);
  const commitment = seedCommitment(crypto, binding.announcement, identity.id, seed);
  const deals = peers.map(({ member, encryption }): SignedDeal => {
    const at = roster.members.indexOf(member);
    const mask = maskShares[at]!;
    const seedShare = seedShares[at]!;
    const passage = {
      announcement: binding.announcement,
      roster: roster.hash,
      dealer: identity.id,
      receiver: member,
    };
    const deal = {
      coordinator: binding.coordinator,
      ...passage,
      seedCommitment: commitment,
      maskShareHash: shareHash(crypto, 'mask', passage, mask),
      seedShareHash: shareHash(crypto, 'seed', passage, seedShare),
      ciphertext: toBase64(sealShares(crypto, encryption, passage, mask, seedShare)),
    };
    mask.fill(0);
    seedShare.fill(0);
    return { deal, signature: sign(crypto, identity, 'shares', deal) };
  });
  const own = { of: identity.id, mask: maskShares[roster.index]!, seed: seedShares[roster.index]! };
  return { deals, commitment, own };
}
