/**
 * Ed25519 identities and domain-separated signatures (PROTOCOL.md 3).
 * An identity's public key, as base64url, is its id everywhere in the protocol; names are for people.
 */
import type { Crypto } from './crypto/port.ts';
import { canonicalBytes, concat, fromBase64, toBase64, toHex, utf8 } from './encoding.ts';
import { TributaryError } from './errors.ts';
import { PROTOCOL_VERSION } from './version.ts';

/** A key pair; `seed` (32 bytes) is the private half and never leaves its machine. */
export interface Identity {
  readonly id: string;
  readonly publicKey: Uint8Array;
  readonly seed: Uint8Array;
}

export function identityFromSeed(crypto: Crypto, seed: Uint8Array): Identity {
  if (seed.length !== 32)
    throw new TributaryError('malformed', `An identity seed has 32 bytes, not ${seed.length}.`);
  const publicKey = crypto.ed25519PublicKey(seed);
  return { id: toBase64(publicKey), publicKey, seed };
}

/** What people compare by telephone: the first 16 bytes of SHA-256 of the key, in groups of four hex digits. */
export function fingerprint(crypto: Crypto, id: string): string {
  return toHex(crypto.sha256(fromBase64(id)).subarray(0, 16))
    .match(/.{4}/g)!
    .join('-');
}

/** Every signed or hashed statement names its purpose, so that no signature fits anywhere else. */
export type Domain =
  | 'handshake-server'
  | 'handshake-client'
  | 'enrol'
  | 'request'
  | 'announcement'
  | 'advert'
  | 'roster'
  | 'shares'
  | 'cohort'
  | 'survivors'
  | 'survivor-agreement'
  | 'abandon'
  | 'transcript'
  | 'rotation'
  | 'plan'
  | 'topology';

/** Bytes of a statement: "tributary/1/DOMAIN", a zero byte, canonical JSON of the payload. */
export function statement(domain: Domain, payload: unknown): Uint8Array {
  return concat(utf8(`tributary/${PROTOCOL_VERSION}/${domain}\0`), canonicalBytes(payload));
}

/** SHA-256 of a statement, hex. */
export function hashStatement(crypto: Crypto, domain: Domain, payload: unknown): string {
  return toHex(crypto.sha256(statement(domain, payload)));
}

export function sign(crypto: Crypto, signer: Identity, domain: Domain, payload: unknown): string {
  return toBase64(crypto.ed25519Sign(statement(domain, payload), signer.seed));
}

/** False for anything that is not a signature of `id` over exactly this domain and payload. */
export function verify(
  crypto: Crypto,
  id: string,
  domain: Domain,
  payload: unknown,
  signature: string,
): boolean {
  try {
    return crypto.ed25519Verify(fromBase64(signature), statement(domain, payload), fromBase64(id));
  } catch {
    return false;
  }
}

/** @throws bad-signature naming `what`. */
export function requireSignature(
  crypto: Crypto,
  id: string,
  domain: Domain,
  payload: unknown,
  signature: string,
  what: string,
): void {
  if (!verify(crypto, id, domain, payload, signature))
    throw new TributaryError('bad-signature', `The signature on ${what} is not by ${id}.`);
}
