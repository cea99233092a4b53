/**
 * Shamir's secret sharing over GF(256) (A. Shamir, "How to share a secret", 1979), polynomial x^8+x^4+x^3+x+1 as AES.
 * A share is the y bytes followed by one x byte, interoperable with npm `shamir-secret-sharing`; share i has x = i + 1.
 * Four field elements ride in one 32-bit word. Only the public x coordinates steer branches; secrets and
 * coefficients meet shifts, ands and xors alone, never a branch or a table index. No integrity: callers keep hashes.
 */
import type { Random } from '../crypto/port.ts';
import { TributaryError } from '../errors.ts';

/**
 * Any `threshold` of the `shares` shares give the secret back; fewer say nothing about it but its length.
 * @throws malformed unless 2 <= threshold <= shares <= 255 and the secret has at least one byte.
 */
export function split(secret: Uint8Array, shares: number, threshold: number, random: Random): Uint8Array[] {
  if (!Number.isInteger(shares) || !Number.isInteger(threshold) || threshold < 2 || shares > 255)
    throw new TributaryError('malformed', `Shamir takes 2 to 255 shares, not ${threshold} of ${shares}.`);
  if (threshold > shares)
    throw new TributaryError('malformed', `A threshold of ${threshold} is above the ${shares} shares dealt.`);
  if (secret.length === 0) throw new TributaryError('malformed', 'The secret to share is empty.');

  const falling = polynomial(secret, threshold, random).reverse();
  const value = new Int32Array(falling[0]!.length);
  const result = Array.from({ length: shares }, (_, i) => {
    const x = i + 1;
    value.fill(0);
    // Horner's rule.
    for (const coefficient of falling)
      for (let word = 0; word < value.length; word++)
        value[word] = times(value[word]!, x) ^ coefficient[word]!;
    const share = new Uint8Array(secret.length + 1);
    share.set(bytesOf(value, secret.length));
    share[secret.length] = x;
    return share;
  });
  for (const coefficient of falling) coefficient.fill(0);
  return result;
}

/**
 * The secret, from all the given shares. With fewer than the threshold, or a wrong one, the result is wrong, not an error.
 * @throws bad-share unless 2 to 255 shares of one length with distinct non-zero x.
 */
export function combine(shares: readonly Uint8Array[]): Uint8Array {
  const xs = coordinates(shares);
  const length = shares[0]!.length - 1;
  const sum = new Int32Array(Math.ceil(length / 4));
  shares.forEach((share, i) => {
    const weight = weightAtZero(xs, i);
    const value = wordsOf(share.subarray(0, length));
    for (let word = 0; word < sum.length; word++) sum[word]! ^= times(value[word]!, weight);
  });
  return bytesOf(sum, length).slice();
}

/** Coefficients in rising order: the secret, then threshold - 1 uniform ones (zero included, also for the highest). */
function polynomial(secret: Uint8Array, threshold: number, random: Random): Int32Array[] {
  const noise = random((threshold - 1) * secret.length);
  const uniform = Array.from({ length: threshold - 1 }, (_, k) =>
    wordsOf(noise.subarray(k * secret.length, (k + 1) * secret.length)),
  );
  return [wordsOf(secret), ...uniform];
}

function coordinates(shares: readonly Uint8Array[]): number[] {
  if (shares.length < 2 || shares.length > 255)
    throw new TributaryError('bad-share', `2 to 255 shares can be combined, not ${shares.length}.`);
  const xs = shares.map((share) => share.at(-1) ?? 0);
  shares.forEach((share, i) => {
    if (share.length < 2 || share.length !== shares[0]!.length)
      throw new TributaryError(
        'bad-share',
        `Share ${i} has ${share.length} bytes, the first ${shares[0]!.length}.`,
      );
    if (xs[i] === 0) throw new TributaryError('bad-share', `Share ${i} has x = 0, where the secret lies.`);
    if (xs.indexOf(xs[i]!) !== i) throw new TributaryError('bad-share', `Two shares have x = ${xs[i]}.`);
  });
  return xs;
}

/** Lagrange basis at 0: the product of x_j / (x_i - x_j) over j other than i; minus is xor here. */
function weightAtZero(xs: readonly number[], i: number): number {
  let numerator = 1;
  let denominator = 1;
  xs.forEach((x, j) => {
    if (j === i) return;
    numerator = times(numerator, x);
    denominator = times(denominator, xs[i]! ^ x);
  });
  return times(numerator, inverse(denominator));
}

/** a^254, since a^255 = 1 for every non-zero a. */
function inverse(a: number): number {
  let power = a;
  let result = 1;
  for (let i = 0; i < 7; i++) {
    power = times(power, power);
    result = times(result, power);
  }
  return result;
}

/** Four field elements times the public element `x`. */
function times(lanes: number, x: number): number {
  let product = 0;
  let shifted = lanes;
  for (let bits = x; bits !== 0; bits >>>= 1) {
    product ^= shifted & -(bits & 1);
    // Times x: shift every lane, fold the bits that fell out of it back in as 0x1b.
    shifted = ((shifted & 0x7f7f7f7f) << 1) ^ (((shifted >>> 7) & 0x01010101) * 0x1b);
  }
  return product;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

function bytesOf(words: Int32Array, length: number): Uint8Array {
  return new Uint8Array(words.buffer, 0, length);
}
