/**
 * The masks' generator: continuity of the stream, and its quality. A peer's masks came from a Mersenne Twister seeded
 * with 32 bits: 2^32 guesses undo them, and its low bit is a linear recurrence that 40,000 known bits predict for ever.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat } from '../encoding.ts';
import { portableCrypto } from './index.ts';
import { nodeCrypto } from './node.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 1);

describe.each([portableCrypto, nodeCrypto])('Key stream of the $name adapter', (crypto) => {
  it('continues over calls of any size', () => {
    const sizes = fc.array(fc.oneof(fc.nat(70), fc.nat(5000)), { maxLength: 20 });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), sizes, (key, calls) => {
        const stream = crypto.keystream(key);
        const pieces = calls.map((bytes) => stream.next(bytes).slice());
        const whole = nodeCrypto.keystream(key).next(calls.reduce((sum, bytes) => sum + bytes, 0));
        expect(Buffer.compare(concat(...pieces), whole)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('continues over calls beyond the block of zeros behind it', () => {
    const large = crypto.keystream(KEY).next(600_001);
    const stream = crypto.keystream(KEY);
    const pieces = [3, 262_144, 300_000, 37_854].map((bytes) => stream.next(bytes).slice());
    expect(Buffer.compare(concat(...pieces), large)).toBe(0);
  });

  it('is bound to the key as it was, not to the array that held it', () => {
    const key = KEY.slice();
    const stream = crypto.keystream(key);
    key.fill(0);
    expect(Buffer.compare(stream.next(64), crypto.keystream(KEY).next(64))).toBe(0);
  });
});

describe('Key streams', () => {
  it('are the same on both adapters, past 65,536 blocks too', () => {
    const [one, two] = [portableCrypto, nodeCrypto].map((crypto) => crypto.keystream(KEY));
    for (const bytes of [17, 1_050_000, 50_000])
      expect(Buffer.compare(one!.next(bytes), two!.next(bytes))).toBe(0);
  });
});

describe('Mask quality', () => {
  /** 4096 words, as masks use them. */
  const words = new Uint32Array(Uint8Array.from(nodeCrypto.keystream(KEY).next(4 * 4096)).buffer);
  const bitsOf = (values: Uint32Array, bit: number) => Uint8Array.from(values, (word) => (word >>> bit) & 1);

  it('uses every byte value equally often: chi-square with 255 degrees of freedom within 5 sigma', () => {
    const bytes = nodeCrypto.keystream(KEY).next(1 << 20);
    expect(Math.abs(chiSquare(bytes) - 255)).toBeLessThan(5 * Math.sqrt(2 * 255));
  });

  it.each([0, 1, 15, 31])(
    'is no linear recurrence: the complexity of bit %d is about half the length',
    (bit) => {
      // For random bits the mean is L / 2 + 2/9 and the variance 86/81 (Rueppel, 1986).
      expect(Math.abs(linearComplexity(bitsOf(words, bit)) - 2048)).toBeLessThanOrEqual(12);
    },
  );

  it('is judged by tests that see through weak generators', () => {
    const shift = new Uint32Array(4096);
    let state = 1;
    shift.forEach((_, i) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      shift[i] = state;
    });
    expect(linearComplexity(bitsOf(shift, 0))).toBe(32);
    const counter = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * i) & 255);
    expect(chiSquare(counter)).toBeGreaterThan(1e6);
    expect(linearComplexity(Uint8Array.of(0, 0, 0, 1))).toBe(4);
    expect(linearComplexity(Uint8Array.of(1, 1, 1, 1))).toBe(1);
  });
});

function chiSquare(bytes: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const byte of bytes) counts[byte]!++;
  const expected = bytes.length / 256;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** Berlekamp-Massey over GF(2) (Massey, 1969): length of the shortest linear feedback register that makes `bits`. */
function linearComplexity(bits: Uint8Array): number {
  const connection = Uint8Array.of(1, ...new Uint8Array(bits.length));
  let previous = connection.slice();
  let length = 0;
  let since = 1;
  for (let n = 0; n < bits.length; n++, since++) {
    let discrepancy = 0;
    for (let i = 0; i <= length; i++) discrepancy ^= connection[i]! & bits[n - i]!;
    if (discrepancy === 0) continue;
    const before = connection.slice();
    for (let i = 0; i + since < connection.length; i++) connection[i + since]! ^= previous[i]!;
    if (2 * length > n) continue;
    length = n + 1 - length;
    previous = before;
    since = 0;
  }
  return length;
}
