/**
 * Bytes and text. Keys, signatures and ciphertexts travel as base64url without padding (RFC 4648, 5),
 * hashes as lower-case hex so that people can compare them with `sha256sum`.
 */
import { TributaryError } from './errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** @throws malformed unless lower-case hex of an even length. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text))
    throw new TributaryError('malformed', 'Expected lower-case hexadecimal.');
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const ENCODE = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));
/** Value of an ASCII code in the alphabet; 255 for all others. */
const DECODE = new Uint8Array(128).fill(255);
for (const [value, code] of ENCODE.entries()) DECODE[code] = value;

/** By table, since `btoa` knows no bytes: keys and signatures of a whole roster pass here many times a round. */
export function toBase64(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.ceil((bytes.length * 4) / 3));
  let out = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const word = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    for (let shift = 18; shift >= 0 && out < codes.length; shift -= 6)
      codes[out++] = ENCODE[(word >> shift) & 63]!;
  }
  return decoder.decode(codes);
}

/** @throws malformed unless canonical unpadded base64url (non-zero trailing bits are refused: one value, one text). */
export function fromBase64(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let word = 0;
  let bits = 0;
  let out = 0;
  let stray = text.length % 4 === 1 ? 255 : 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const value = code < 128 ? DECODE[code]! : 255;
    stray |= value & 128;
    word = ((word << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[out++] = word >> bits;
    }
  }
  if (stray !== 0) throw new TributaryError('malformed', 'Expected base64url without padding.');
  if ((word & ((1 << bits) - 1)) !== 0)
    throw new TributaryError('malformed', 'Base64url with stray trailing bits.');
  return bytes;
}

/** Levels of lists and objects in what is hashed or signed: it is written by what calls itself for each. */
const MAX_LEVELS = 1000;

/**
 * Canonical JSON after RFC 8785 (JCS): keys sorted by UTF-16 code units, ECMAScript number format, no white space.
 * Everything that is hashed or signed goes through here.
 * @throws malformed for values JSON cannot hold (NaN, infinity, undefined in arrays, functions), and nested without end.
 */
export function canonicalJson(value: unknown): string {
  return write(value, MAX_LEVELS);
}

function write(value: unknown, levels: number): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TributaryError('malformed', `${value} cannot be written as JSON.`);
    return JSON.stringify(value);
  }
  if (levels === 0)
    throw new TributaryError('malformed', `A value nested more than ${MAX_LEVELS} levels deep.`);
  if (Array.isArray(value)) return `[${value.map((item) => write(item, levels - 1)).join(',')}]`;
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${write(member, levels - 1)}`).join(',')}}`;
  }
  throw new TributaryError(
    'malformed',
    `A value of type ${typeof value} cannot be written as canonical JSON.`,
  );
}

export function canonicalBytes(value: unknown): Uint8Array {
  return utf8(canonicalJson(value));
}
