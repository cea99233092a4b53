/**
 * Mask keys (PROTOCOL.md 6.5; Bonawitz et al., "Practical Secure Aggregation", CCS 2017, double masking). Each key is 256 bits
 * and drives AES-256-CTR whole. The salt binds announcement, U1 and U2: members who were shown different ones derive
 * different pair masks, which do not cancel, and the coordinator holds noise.
 */
import type { Crypto } from '../crypto/port.ts';
import { concat, fromBase64, fromHex, utf8 } from '../encoding.ts';

/** Add `sign` times the key stream of `key`, as little-endian 32-bit words, mod 2^32. */
export interface MaskTerm {
  readonly key: Uint8Array;
  readonly sign: 1 | -1;
}

/** Hashes of announcement, U1 and U2, hex: what all masks of an attempt are bound to. */
export interface MaskBinding {
  readonly announcement: string;
  readonly roster: string;
  readonly cohort: string;
}

function salt({ announcement, roster, cohort }: MaskBinding): Uint8Array {
  return concat(fromHex(announcement), fromHex(roster), fromHex(cohort));
}

export function selfMaskKey(crypto: Crypto, seed: Uint8Array, binding: MaskBinding, id: string): Uint8Array {
  return crypto.hkdf(seed, salt(binding), concat(utf8('tributary/1/self-mask\0'), fromBase64(id)), 32);
}

/** @param shared X25519 of the two mask keys. The ids may come in either order. */
export function pairMaskKey(
  crypto: Crypto,
  shared: Uint8Array,
  binding: MaskBinding,
  a: string,
  b: string,
): Uint8Array {
  const [lower, higher] = a < b ? [a, b] : [b, a];
  const info = concat(utf8('tributary/1/pair-mask\0'), fromBase64(lower), fromBase64(higher));
  return crypto.hkdf(shared, salt(binding), info, 32);
}

/** The member with the lower id (ASCII, hence the lower index in U1) adds the pair's mask, the other one subtracts it. */
function pairSign(own: string, peer: string): 1 | -1 {
  return own < peer ? 1 : -1;
}

/** What member `id` adds to its vector: its self mask and one mask for every other member of U2. */
export function memberMaskTerms(
  crypto: Crypto,
  binding: MaskBinding,
  id: string,
  seed: Uint8Array,
  peers: readonly { readonly member: string; readonly shared: Uint8Array }[],
): MaskTerm[] {
  return [
    { key: selfMaskKey(crypto, seed, binding, id), sign: 1 },
    ...peers.map(({ member, shared }) => ({
      key: pairMaskKey(crypto, shared, binding, id, member),
      sign: pairSign(id, member),
    })),
  ];
}

/** All that removing the masks needs, plain JSON: it may go to a worker. Keys and seeds are base64url of 32 bytes. */
export interface UnmaskingOrder extends MaskBinding {
  /** U3; empty where nothing was masked (aggregation.mode `plain`). */
  readonly survivors: readonly { readonly member: string; readonly maskKey: string; readonly seed: string }[];
  /** U2 without U3: private halves of their mask keys. */
  readonly dropped: readonly { readonly member: string; readonly maskSecret: string }[];
}

/**
 * What the coordinator *adds* to the sum over U3 to get it bare (the signs are already reversed): minus every self
 * mask, and the opposite of the pair masks that members of U3 share with those who dropped out.
 * |U3| + |U3| * |dropped| terms, one X25519 for each of the latter (28 us with node:crypto).
 */
export function* survivorMaskTerms(crypto: Crypto, order: UnmaskingOrder): Generator<MaskTerm, void> {
  for (const { member, seed } of order.survivors)
    yield { key: selfMaskKey(crypto, fromBase64(seed), order, member), sign: -1 };
  const publicKeys = order.survivors.map(({ member, maskKey }) => ({ member, key: fromBase64(maskKey) }));
  for (const { member: dropped, maskSecret } of order.dropped) {
    const secret = fromBase64(maskSecret);
    for (const { member, key } of publicKeys) {
      const shared = crypto.x25519(secret, key);
      yield {
        key: pairMaskKey(crypto, shared, order, member, dropped),
        // What the dropped member would have added.
        sign: pairSign(dropped, member),
      };
    }
  }
}
