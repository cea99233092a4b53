/**
 * Checks that every Crypto adapter makes, so that all of them accept and refuse exactly the same bytes.
 * Ed25519 verifiers disagree about odd keys and signatures (Chalkias, Garillot and Nikolaenko, "Taming the many
 * EdDSAs", 2020); two members must never disagree about one signature, so the odd ones are refused before the library.
 */
import { fromHex } from '../encoding.ts';
import { TributaryError } from '../errors.ts';

/** @throws malformed naming `what` unless `bytes` has exactly `length` bytes. */
export function requireLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length)
    throw new TributaryError('malformed', `${what} has ${length} bytes, not ${bytes.length}.`);
}

/** RFC 5869, 2.3: at most 255 blocks of SHA-256. */
export function requireHkdfLength(length: number): void {
  if (!Number.isInteger(length) || length < 1 || length > 8160)
    throw new TributaryError('malformed', `HKDF-SHA-256 yields 1 to 8160 bytes, not ${length}.`);
}

/** RFC 7748, 6.1: all zero when the peer's key has low order; such a "secret" is known to everybody. */
export function requireContributory(shared: Uint8Array): Uint8Array {
  let bits = 0;
  for (const byte of shared) bits |= byte;
  if (bits === 0) throw lowOrder();
  return shared;
}

export function lowOrder(cause?: unknown): TributaryError {
  return new TributaryError('bad-signature', 'The X25519 public key has low order (RFC 7748, 6.1).', {
    cause,
  });
}

export function badTag(): TributaryError {
  return new TributaryError('bad-frame', 'The ChaCha20-Poly1305 tag does not fit (RFC 8439, 2.8).');
}

/** Little-endian hex as big-endian, for constants that the standards print as numbers. */
const littleEndian = (hex: string) => fromHex(hex).reverse();

/** L, the order of the base point: 2^252 + 27742317777372353535851937790883648493 (RFC 8032, 5.1). */
const ORDER = littleEndian('1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed');
/** p = 2^255 - 19. */
const PRIME = littleEndian('7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed');

/** The y coordinates of the eight points whose order divides 8: 1, -1, 0 and the two of order 8. */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000001',
  '7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7',
  '05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826',
].map(littleEndian);

/**
 * What both libraries leave open or answer differently: lengths, S < L (RFC 8032, 5.1.7), a canonical y < p, and no
 * key of small order, under which one signature fits every message. Public data only, so branches are fine.
 */
export function plausibleSignature(signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || publicKey.length !== 32) return false;
  const y = publicKey.slice();
  y[31]! &= 0x7f;
  return (
    isBelow(signature.subarray(32), ORDER) &&
    isBelow(y, PRIME) &&
    !SMALL_ORDER.some((small) => small.every((byte, i) => byte === y[i]))
  );
}

/** a < b as little-endian numbers of the same length. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = b.length - 1; i >= 0; i--) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}
