/**
 * Keys, commitments and sealed shares of one attempt (PROTOCOL.md 6.4). Ids and hashes enter as their raw 32 bytes, so that
 * every field has a fixed width and no two inputs run into each other.
 */
import type { Crypto } from '../crypto/port.ts';
import { concat, fromBase64, fromHex, toHex, utf8 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import type { SignedAdvert } from './statements.ts';

/** Where a share comes from and goes to. Ids base64url, hashes hex. */
export interface Passage {
  readonly announcement: string;
  readonly roster: string;
  readonly dealer: string;
  readonly receiver: string;
}

/** `mask`: the dealer's X25519 mask key; `seed`: the seed of its self mask. */
export type ShareKind = 'mask' | 'seed';

/** A Shamir share of 32 bytes: 32 y bytes and x. */
export const SHARE_BYTES = 33;

/** The key seals exactly one message in its life (see `shareKey`), so its nonce may be constant (RFC 8439, 2.8 and 4). */
const ZERO_NONCE = new Uint8Array(12);

function passageBytes(
  label: string,
  { announcement, dealer, receiver }: Omit<Passage, 'roster'>,
): Uint8Array {
  return concat(
    utf8(`tributary/1/${label}\0`),
    fromHex(announcement),
    fromBase64(dealer),
    fromBase64(receiver),
  );
}

/**
 * One-time key of one passage. New ephemeral keys in every attempt make it differ between attempts; the ordered ids
 * between the two directions; and a dealer deals once per attempt, to the first roster it sees.
 * @param shared X25519 of the two encryption keys.
 */
function shareKey(crypto: Crypto, shared: Uint8Array, passage: Passage): Uint8Array {
  return crypto.hkdf(shared, fromHex(passage.roster), passageBytes('share', passage), 32);
}

/** Both shares for one receiver: 82 bytes. */
export function sealShares(
  crypto: Crypto,
  shared: Uint8Array,
  passage: Passage,
  maskShare: Uint8Array,
  seedShare: Uint8Array,
): Uint8Array {
  const key = shareKey(crypto, shared, passage);
  return crypto.seal(key, ZERO_NONCE, concat(maskShare, seedShare), passageBytes('share', passage));
}

/** @throws bad-frame when it was not sealed for this passage, bad-share when it does not hold two shares. */
export function openShares(
  crypto: Crypto,
  shared: Uint8Array,
  passage: Passage,
  sealed: Uint8Array,
): { mask: Uint8Array; seed: Uint8Array } {
  const key = shareKey(crypto, shared, passage);
  const plain = crypto.open(key, ZERO_NONCE, sealed, passageBytes('share', passage));
  if (plain.length !== 2 * SHARE_BYTES)
    throw new TributaryError('bad-share', `Two shares have ${2 * SHARE_BYTES} bytes, not ${plain.length}.`);
  return { mask: plain.slice(0, SHARE_BYTES), seed: plain.slice(SHARE_BYTES) };
}

/** Hex. Convicts a dealer who sent another share than it signed, and a receiver who reveals another than it got. */
export function shareHash(
  crypto: Crypto,
  kind: ShareKind,
  passage: Omit<Passage, 'roster'>,
  share: Uint8Array,
): string {
  const { announcement, dealer, receiver } = passage;
  return toHex(
    crypto.sha256(
      concat(
        utf8(`tributary/1/share-hash\0${kind}`),
        fromHex(announcement),
        fromBase64(dealer),
        fromBase64(receiver),
        share,
      ),
    ),
  );
}

/** Stands in U2 for a seed commitment where nobody has a seed: plain mode. */
export const NO_COMMITMENT = '0'.repeat(64);

/** Hex. What the reconstructed seed must fit. */
export function seedCommitment(
  crypto: Crypto,
  announcement: string,
  member: string,
  seed: Uint8Array,
): string {
  return toHex(
    crypto.sha256(concat(utf8('tributary/1/seed\0'), fromHex(announcement), fromBase64(member), seed)),
  );
}

/** @throws bad-signature unless `key` is canonical: top bit clear, below 2^255 - 19; one key, one text. */
export function requireCanonicalKey(key: string, what: string): void {
  const bytes = fromBase64(key);
  const unreduced = bytes[31] === 0x7f && bytes[0]! >= 0xed && bytes.subarray(1, 31).every((b) => b === 0xff);
  if (bytes.length !== 32 || bytes[31]! > 0x7f || unreduced)
    throw new TributaryError('bad-signature', `${what} is not a canonical X25519 key (RFC 7748, 5): ${key}.`);
}

/** X25519. @throws bad-signature naming `what` for a key of low order, whose "secret" everybody knows. */
export function agreeKeys(crypto: Crypto, secret: Uint8Array, key: string, what: string): Uint8Array {
  try {
    return crypto.x25519(secret, fromBase64(key));
  } catch (cause) {
    throw new TributaryError('bad-signature', `${what} has low order (RFC 7748, 6.1): ${key}.`, { cause });
  }
}

/** For the coordinator, which has no secret of its own here. @throws bad-signature unless canonical and of full order */
export function requireUsableKey(crypto: Crypto, key: string, what: string): void {
  requireCanonicalKey(key, what);
  // Clamping makes every scalar a multiple of the cofactor, so any scalar tells a point of low order.
  agreeKeys(crypto, ANY_SCALAR, key, what);
}

const ANY_SCALAR = new Uint8Array(32).fill(1);

/** @throws bad-signature when any two of all encryption and mask keys are the same. */
export function requireDistinctKeys(adverts: readonly SignedAdvert[]): void {
  const seen = new Map<string, string>();
  for (const { advert } of adverts)
    for (const key of [advert.encryptionKey, advert.maskKey]) {
      const owner = seen.get(key);
      if (owner !== undefined)
        throw new TributaryError(
          'bad-signature',
          `Members ${owner} and ${advert.member} show the same key ${key}.`,
        );
      seen.set(key, advert.member);
    }
}
