import fc from 'fast-check';
import { combine as oracleCombine, split as oracleSplit } from 'shamir-secret-sharing';
import { describe, expect, it } from 'vitest';
import { portableRandom, seededRandom } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { combine, split } from './shamir.ts';

const secrets = fc.uint8Array({ minLength: 1, maxLength: 70 });
const dealt = fc
  .tuple(secrets, fc.integer({ min: 2, max: 40 }), fc.nat(), fc.uint8Array({ minLength: 4, maxLength: 4 }))
  .map(([secret, shares, pick, seed]) => ({
    secret,
    threshold: 2 + (pick % (shares - 1)),
    shares,
    random: seededRandom(nodeCrypto, seed),
  }));
const shuffled = <T>(items: readonly T[]) => fc.shuffledSubarray([...items], { minLength: items.length });

describe('Shamir over GF(256)', () => {
  it('gives the secret back from any threshold of shares, and from more', () => {
    fc.assert(
      fc.property(dealt, fc.nat(), ({ secret, shares, threshold, random }, extra) => {
        const all = split(secret, shares, threshold, random);
        const order = fc.sample(shuffled(all), { numRuns: 1, seed: extra })[0]!;
        const count = threshold + (extra % (shares - threshold + 1));
        expect(combine(order.slice(0, count))).toEqual(secret);
      }),
    );
  });

  it('writes share i as y bytes and x = i + 1, for 255 shares too', () => {
    const shares = split(Uint8Array.of(7, 8, 9), 255, 2, portableRandom);
    expect(shares.map((share) => share.length)).toEqual(Array(255).fill(4));
    expect(shares.map((share) => share[3])).toEqual(Array.from({ length: 255 }, (_, i) => i + 1));
    expect(combine(shares)).toEqual(Uint8Array.of(7, 8, 9));
  });

  it('is read by the audited package, and reads it', async () => {
    await fc.assert(
      fc.asyncProperty(dealt, async ({ secret, shares, threshold, random }) => {
        const ours = split(secret, shares, threshold, random);
        expect(await oracleCombine(ours.slice(-threshold))).toEqual(secret);
        expect(combine((await oracleSplit(secret, shares, threshold)).slice(-threshold))).toEqual(secret);
        // Below the threshold both interpolate the same wrong polynomial.
        if (threshold > 2)
          expect(combine(ours.slice(1, threshold))).toEqual(await oracleCombine(ours.slice(1, threshold)));
      }),
    );
  });

  it('deals single shares that are independent of the secret: t = 2, every secret and coefficient', () => {
    for (let secret = 0; secret < 256; secret++) {
      const dealt = Array.from({ length: 256 }, (_, coefficient) =>
        split(Uint8Array.of(secret), 3, 2, () => Uint8Array.of(coefficient)),
      );
      for (const x of [1, 2, 3]) expect(new Set(dealt.map((shares) => shares[x - 1]![0])).size).toBe(256);
    }
  });

  it.each([0x00, 0xa5])(
    'deals pairs that are independent of the secret %d: t = 3, every coefficient',
    (secret) => {
      const seen = new Set<number>();
      for (let pair = 0; pair < 65_536; pair++) {
        const shares = split(Uint8Array.of(secret), 5, 3, () => Uint8Array.of(pair >> 8, pair & 255));
        seen.add(shares[1]![0]! * 256 + shares[4]![0]!);
      }
      expect(seen.size).toBe(65_536);
    },
  );

  it('takes fresh randomness for every byte and coefficient', () => {
    const asked: number[] = [];
    split(new Uint8Array(32), 10, 7, (bytes) => {
      asked.push(bytes);
      return new Uint8Array(bytes);
    });
    expect(asked).toEqual([6 * 32]);
  });

  it.each([
    ['one share', [[1, 1]], 'not 1'],
    ['no share', [], 'not 0'],
    ['256 shares', Array.from({ length: 256 }, (_, i) => [1, i & 255]), 'not 256'],
    [
      'a repeated x',
      [
        [1, 3],
        [2, 4],
        [9, 3],
      ],
      'x = 3',
    ],
    [
      'x = 0',
      [
        [1, 3],
        [2, 0],
      ],
      'x = 0',
    ],
    [
      'different lengths',
      [
        [1, 3],
        [2, 2, 4],
      ],
      'Share 1 has 3 bytes',
    ],
    ['a share without y', [[3], [4]], 'Share 0 has 1 bytes'],
  ])('refuses to combine %s', (_, shares, reason) => {
    const attempt = () => combine(shares.map((share) => Uint8Array.from(share)));
    expect(attempt).toThrow(expect.objectContaining({ code: 'bad-share' }));
    expect(attempt).toThrow(reason);
  });

  it.each([
    [3, 4],
    [5, 1],
    [256, 3],
    [3.5, 2],
    [3, Number.NaN],
  ])('refuses to split into %d shares with threshold %d', (shares, threshold) => {
    const attempt = () => split(new Uint8Array(32), shares, threshold, portableRandom);
    expect(attempt).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('refuses an empty secret', () => {
    expect(() => split(new Uint8Array(0), 3, 2, portableRandom)).toThrow('empty');
  });
});
