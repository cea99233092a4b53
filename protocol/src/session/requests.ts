/**
 * Who sends an HTTP request (PROTOCOL.md 4.3). A node in a session proves it with a MAC under the session's key; an
 * enrolled node without a session signs with its identity. Both bind method, path, body digest and freshness.
 * People use bearer tokens instead; those never reach these functions.
 */
import type { Crypto } from '../crypto/port.ts';
import { canonicalBytes, fromBase64, toBase64, toHex } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { type Identity, requireSignature, sign } from '../identity.ts';
import { LIMITS } from '../limits.ts';
import type { SessionKeys } from './handshake.ts';

export interface RequestLine {
  readonly method: string;
  /** Path with query, as sent. */
  readonly path: string;
  /** SHA-256 of the body, hex; of no bytes when there is none. */
  readonly digest: string;
}

const SCHEME_MAC = 'Tributary-Session';
const SCHEME_SIGNED = 'Tributary-Signed';

export function emptyDigest(crypto: Crypto): string {
  return toHex(crypto.sha256(new Uint8Array(0)));
}

/** Value of the Authorization header. `counter` must never repeat within the session. */
export function authorizeRequest(
  crypto: Crypto,
  keys: SessionKeys,
  line: RequestLine,
  counter: number,
): string {
  const mac = toBase64(crypto.hmac(keys.http, requestBytes(line, counter)));
  return `${SCHEME_MAC} ${keys.session}.${counter}.${line.digest}.${mac}`;
}

export interface SessionClaim {
  readonly session: string;
  readonly counter: number;
  readonly digest: string;
  readonly mac: string;
}

/** The parts of a session header, or null when the header is of another scheme. @throws unauthenticated */
export function parseSessionClaim(header: string): SessionClaim | null {
  const [scheme, value = ''] = header.split(' ', 2);
  if (scheme !== SCHEME_MAC) return null;
  const match = /^([A-Za-z0-9_-]{22})\.(\d{1,15})\.([0-9a-f]{64})\.([A-Za-z0-9_-]{43})$/.exec(value);
  if (!match) throw new TributaryError('unauthenticated', 'The session authorization is malformed.');
  return { session: match[1]!, counter: Number(match[2]), digest: match[3]!, mac: match[4]! };
}

/** @throws unauthenticated unless the MAC fits. The caller checks that the counter is new. */
export function checkSessionClaim(
  crypto: Crypto,
  keys: SessionKeys,
  claim: SessionClaim,
  line: Omit<RequestLine, 'digest'>,
): void {
  const expected = crypto.hmac(keys.http, requestBytes({ ...line, digest: claim.digest }, claim.counter));
  const given = fromBase64(claim.mac);
  let difference = expected.length ^ given.length;
  for (let i = 0; i < expected.length; i++) difference |= expected[i]! ^ given[i]!;
  if (difference !== 0)
    throw new TributaryError('unauthenticated', 'The request is not authenticated by its session.');
}

function requestBytes(line: RequestLine, counter: number): Uint8Array {
  return canonicalBytes([line.method, line.path, line.digest, counter]);
}

/** Authorization header of an enrolled node that has no session. `time` is milliseconds since 1970, `nonce` 16 bytes. */
export function signRequest(
  crypto: Crypto,
  identity: Identity,
  coordinator: string,
  line: RequestLine,
  time: number,
  nonce: Uint8Array,
): string {
  const nonceText = toBase64(nonce);
  const signature = sign(crypto, identity, 'request', { coordinator, ...line, time, nonce: nonceText });
  return `${SCHEME_SIGNED} ${identity.id}.${time}.${nonceText}.${line.digest}.${signature}`;
}

export interface SignedClaim {
  readonly identity: string;
  readonly nonce: string;
  readonly digest: string;
}

/** @returns the proven claim, or null for another scheme; the caller refuses a nonce it has seen. @throws unauthenticated, bad-signature */
export function verifySignedRequest(
  crypto: Crypto,
  header: string,
  coordinator: string,
  line: Omit<RequestLine, 'digest'>,
  now: number,
): SignedClaim | null {
  const [scheme, value = ''] = header.split(' ', 2);
  if (scheme !== SCHEME_SIGNED) return null;
  const match =
    /^([A-Za-z0-9_-]{43})\.(\d{1,15})\.([A-Za-z0-9_-]{22})\.([0-9a-f]{64})\.([A-Za-z0-9_-]{86})$/.exec(value);
  if (!match) throw new TributaryError('unauthenticated', 'The signed authorization is malformed.');
  const [, identity, timeText, nonce, digest, signature] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const time = Number(timeText);
  if (Math.abs(now - time) > LIMITS.clockSkewMs)
    throw new TributaryError(
      'unauthenticated',
      'The signed request is too old, or one of the two clocks is wrong.',
      {
        remedy: 'Set the clock of this machine; up to five minutes are tolerated.',
      },
    );
  requireSignature(
    crypto,
    identity,
    'request',
    { coordinator, ...line, digest, time, nonce },
    signature,
    'the request',
  );
  return { identity, nonce, digest };
}
