import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { toBase64, toHex, utf8 } from '../encoding.ts';
import { createAccumulator } from '../ring/index.ts';
import { applyTerms, identities } from './fixtures.ts';
import {
  type MaskBinding,
  type MaskTerm,
  memberMaskTerms,
  pairMaskKey,
  selfMaskKey,
  survivorMaskTerms,
} from './masks.ts';

const hash = (text: string) => toHex(nodeCrypto.sha256(utf8(text)));
const binding: MaskBinding = { announcement: hash('a'), roster: hash('u1'), cohort: hash('u2') };
const [alice, bob] = identities(2).map(({ id }) => id) as [string, string];
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const firstWords = (key: Uint8Array) => toHex(nodeCrypto.keystream(key).next(64));

const flip = (bytes: Uint8Array, bit: number) => {
  const flipped = bytes.slice();
  flipped[bit >> 3]! ^= 1 << (bit & 7);
  return flipped;
};

describe('mask keys', () => {
  it('change with any single bit of a 256-bit seed, and so does the whole mask (Flower folds its seed to 32 bits)', () => {
    const seed = nodeCrypto.sha256(utf8('seed'));
    const masks = new Set([firstWords(selfMaskKey(nodeCrypto, seed, binding, alice))]);
    for (let bit = 0; bit < 256; bit++)
      masks.add(firstWords(selfMaskKey(nodeCrypto, flip(seed, bit), binding, alice)));
    expect(masks.size).toBe(257);
  });

  it('have 256 bits, all of which drive the key stream', () => {
    const key = selfMaskKey(nodeCrypto, new Uint8Array(32), binding, alice);
    expect(key.length).toBe(32);
    const streams = Array.from({ length: 256 }, (_, bit) => firstWords(flip(key, bit)));
    expect(new Set([firstWords(key), ...streams]).size).toBe(257);
  });

  it('change with any single bit of the pair secret', () => {
    const secret = nodeCrypto.sha256(utf8('shared'));
    const keys = Array.from({ length: 256 }, (_, bit) =>
      toHex(pairMaskKey(nodeCrypto, flip(secret, bit), binding, alice, bob)),
    );
    expect(new Set([...keys, toHex(pairMaskKey(nodeCrypto, secret, binding, alice, bob))]).size).toBe(257);
  });

  it.each(['announcement', 'roster', 'cohort'] as const)('change with the %s that was shown', (field) => {
    const other = { ...binding, [field]: hash('another') };
    const secret = nodeCrypto.sha256(utf8('shared'));
    expect(pairMaskKey(nodeCrypto, secret, other, alice, bob)).not.toEqual(
      pairMaskKey(nodeCrypto, secret, binding, alice, bob),
    );
    expect(selfMaskKey(nodeCrypto, secret, other, alice)).not.toEqual(
      selfMaskKey(nodeCrypto, secret, binding, alice),
    );
  });

  it('are the same for both ends of a pair, and differ between pairs, members and purposes', () => {
    fc.assert(
      fc.property(bytes32, (secret) => {
        const keys = [
          pairMaskKey(nodeCrypto, secret, binding, alice, bob),
          selfMaskKey(nodeCrypto, secret, binding, alice),
          selfMaskKey(nodeCrypto, secret, binding, bob),
        ].map(toHex);
        expect(new Set(keys).size).toBe(3);
        expect(toHex(pairMaskKey(nodeCrypto, secret, binding, bob, alice))).toBe(keys[0]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('mask terms', () => {
  /** n members' terms for the cohort, and what the coordinator learns to unmask the first `alive` of them. */
  function scenario(n: number, alive: number, seedText: string) {
    const random = seededRandom(nodeCrypto, utf8(seedText));
    const members = identities(n, seedText).map(({ id }) => {
      const secret = random(32);
      return { id, seed: random(32), secret, key: nodeCrypto.x25519PublicKey(secret) };
    });
    const terms = members.map((own): MaskTerm[] => {
      const peers = members
        .filter((peer) => peer !== own)
        .map((peer) => ({ member: peer.id, shared: nodeCrypto.x25519(own.secret, peer.key) }));
      return memberMaskTerms(nodeCrypto, binding, own.id, own.seed, peers);
    });
    const order = {
      ...binding,
      survivors: members
        .slice(0, alive)
        .map(({ id, key, seed }) => ({ member: id, maskKey: toBase64(key), seed: toBase64(seed) })),
      dropped: members.slice(alive).map(({ id, secret }) => ({ member: id, maskSecret: toBase64(secret) })),
    };
    return { terms: terms.slice(0, alive), order };
  }

  it('of all survivors vanish under the order, whoever dropped out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.nat(), fc.string(), (n, pick, seed) => {
        const { terms, order } = scenario(n, 1 + (pick % n), seed);
        const sum = createAccumulator(33);
        for (const own of terms) applyTerms(nodeCrypto, sum, own);
        applyTerms(nodeCrypto, sum, survivorMaskTerms(nodeCrypto, JSON.parse(JSON.stringify(order))));
        expect(sum.words.every((word) => word === 0)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('stay if one pair mask of a drop-out is forgotten', () => {
    const { terms, order } = scenario(5, 4, 'x');
    const sum = createAccumulator(33);
    for (const own of terms) applyTerms(nodeCrypto, sum, own);
    applyTerms(nodeCrypto, sum, [...survivorMaskTerms(nodeCrypto, order)].slice(0, -1));
    expect(sum.words.filter((word) => word === 0).length).toBeLessThan(2);
  });

  it('come to |U3| + |U3| x drop-outs, self masks first and negative', () => {
    const list = [...survivorMaskTerms(nodeCrypto, scenario(6, 4, 'y').order)];
    expect(list.length).toBe(4 + 4 * 2);
    expect(list.slice(0, 4).map(({ sign }) => sign)).toEqual([-1, -1, -1, -1]);
  });
});
