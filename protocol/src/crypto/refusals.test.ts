/** What every Crypto adapter must refuse, and that the adapters agree on everything that they accept. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, toHex, utf8 } from '../encoding.ts';
import { constantTimeEqual, portableCrypto, portableRandom, seededRandom } from './index.ts';
import { nodeCrypto, nodeRandom } from './node.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const text = fc.uint8Array({ maxLength: 300 });
const malformed = expect.objectContaining({ code: 'malformed' });
const key = (fill: number) => new Uint8Array(32).fill(fill);

/** u coordinates of low order and their non-canonical twins (RFC 7748, 6.1; cr.yp.to/ecdh.html#validate). */
const LOW_ORDER_U = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];

/** y coordinates of Ed25519 points of small order, canonical or not, each with both signs. */
const SMALL_ORDER_Y = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].flatMap((y) => [
  y,
  y.slice(0, 62) + (Number.parseInt(y.slice(62), 16) ^ 0x80).toString(16).padStart(2, '0'),
]);

/** Signature with S + L, the same number mod L: valid for verifiers that do not check S < L (RFC 8032, 5.1.7). */
function malleated(signature: Uint8Array): Uint8Array {
  const order = fromHex('1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed').reverse();
  const twin = signature.slice();
  let carry = 0;
  for (let i = 0; i < 32; i++) {
    const sum = twin[32 + i]! + order[i]! + carry;
    twin[32 + i] = sum;
    carry = sum >> 8;
  }
  return twin;
}

describe.each([portableCrypto, nodeCrypto])('Crypto adapter $name refuses', (crypto) => {
  it.each(LOW_ORDER_U)('an X25519 agreement with the low-order point %s', (u) => {
    for (const secret of [key(1), key(0x77), key(0xff)])
      expect(() => crypto.x25519(secret, fromHex(u))).toThrow(
        expect.objectContaining({ code: 'bad-signature' }),
      );
  });

  it('the malleated twin (S + L) of a good signature', () => {
    for (let i = 0; i < 8; i++) {
      const message = Uint8Array.of(i);
      const signature = crypto.ed25519Sign(message, key(9));
      expect(crypto.ed25519Verify(signature, message, crypto.ed25519PublicKey(key(9)))).toBe(true);
      expect(crypto.ed25519Verify(malleated(signature), message, crypto.ed25519PublicKey(key(9)))).toBe(
        false,
      );
    }
  });

  it.each(SMALL_ORDER_Y)('the signature that fits every message under the small-order key %s', (y) => {
    // R = the key's own point or the identity, S = 0: S B = R + h A holds whenever h A cancels R.
    const identity = fromHex(`01${'00'.repeat(31)}`);
    for (let i = 0; i < 16; i++)
      for (const r of [identity, fromHex(y)])
        expect(crypto.ed25519Verify(concat(r, new Uint8Array(32)), Uint8Array.of(i), fromHex(y))).toBe(false);
  });

  it('any changed bit of signature, message or key', () => {
    const message = utf8('seven partners');
    const publicKey = crypto.ed25519PublicKey(key(3));
    const signature = crypto.ed25519Sign(message, key(3));
    const flip = (whole: Uint8Array, bit: number) =>
      whole.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
    for (let bit = 0; bit < 512; bit += 31)
      expect(crypto.ed25519Verify(flip(signature, bit), message, publicKey)).toBe(false);
    for (let bit = 0; bit < 8 * message.length; bit += 17)
      expect(crypto.ed25519Verify(signature, flip(message, bit), publicKey)).toBe(false);
    for (let bit = 0; bit < 256; bit += 13)
      expect(crypto.ed25519Verify(signature, message, flip(publicKey, bit))).toBe(false);
  });

  it('signatures and keys of a wrong length, without throwing', () => {
    const publicKey = crypto.ed25519PublicKey(key(3));
    const signature = crypto.ed25519Sign(utf8('m'), key(3));
    for (const wrong of [new Uint8Array(0), signature.subarray(1), concat(signature, Uint8Array.of(0))])
      expect(crypto.ed25519Verify(wrong, utf8('m'), publicKey)).toBe(false);
    for (const wrong of [new Uint8Array(0), publicKey.subarray(1), concat(publicKey, Uint8Array.of(0))])
      expect(crypto.ed25519Verify(signature, utf8('m'), wrong)).toBe(false);
  });

  it('secrets, keys and nonces of a wrong length, typed and without naming them', () => {
    const none = new Uint8Array(0);
    for (const length of [0, 31, 33, 64]) {
      const wrong = new Uint8Array(length).fill(0xab);
      expect(() => crypto.ed25519PublicKey(wrong)).toThrow(malformed);
      expect(() => crypto.ed25519Sign(none, wrong)).toThrow(malformed);
      expect(() => crypto.x25519PublicKey(wrong)).toThrow(malformed);
      expect(() => crypto.x25519(wrong, key(9))).toThrow(malformed);
      expect(() => crypto.x25519(key(9), wrong)).toThrow(malformed);
      expect(() => crypto.keystream(wrong)).toThrow(malformed);
      expect(() => crypto.keystream(wrong)).not.toThrow(/abab|171/);
      expect(() => crypto.seal(wrong, new Uint8Array(12), none, none)).toThrow(malformed);
      expect(() => crypto.open(wrong, new Uint8Array(12), new Uint8Array(16), none)).toThrow(malformed);
    }
    expect(() => crypto.seal(key(1), new Uint8Array(8), none, none)).toThrow(malformed);
    expect(() => crypto.open(key(1), new Uint8Array(24), new Uint8Array(16), none)).toThrow(malformed);
    for (const length of [0, -1, 1.5, 8161])
      expect(() => crypto.hkdf(none, none, none, length)).toThrow(malformed);
    expect(crypto.hkdf(none, none, none, 8160).length).toBe(8160);
  });

  it('a sealed message changed, cut, or bound to another key, nonce or context', () => {
    const nonce = new Uint8Array(12);
    const sealed = crypto.seal(key(1), nonce, utf8('share'), utf8('context'));
    const refused = expect.objectContaining({ code: 'bad-frame' });
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.map((byte, at) => (at === i ? byte ^ 1 : byte));
      expect(() => crypto.open(key(1), nonce, changed, utf8('context'))).toThrow(refused);
      expect(() => crypto.open(key(1), nonce, sealed.subarray(0, i), utf8('context'))).toThrow(refused);
    }
    expect(() => crypto.open(key(2), nonce, sealed, utf8('context'))).toThrow(refused);
    expect(() =>
      crypto.open(
        key(1),
        nonce.map((_, i) => +(i === 11)),
        sealed,
        utf8('context'),
      ),
    ).toThrow(refused);
    expect(() => crypto.open(key(1), nonce, sealed, utf8('contexT'))).toThrow(refused);
    expect(crypto.open(key(1), nonce, sealed, utf8('context'))).toEqual(utf8('share'));
  });
});

describe('Both Crypto adapters', () => {
  it('return plain Uint8Arrays that own their memory, never a pooled Buffer', () => {
    for (const crypto of [portableCrypto, nodeCrypto]) {
      const sealed = crypto.seal(key(1), new Uint8Array(12), utf8('share'), utf8(''));
      for (const result of [
        crypto.sha256(key(1)),
        crypto.hkdf(key(1), key(2), key(3), 7),
        crypto.x25519PublicKey(key(1)),
        crypto.ed25519Sign(key(1), key(2)),
        sealed,
        crypto.open(key(1), new Uint8Array(12), sealed, utf8('')),
      ]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype);
        expect(result.buffer.byteLength).toBe(result.length);
      }
    }
  });

  it('hash, derive, seal and open alike', () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        bytes(32),
        bytes(12),
        fc.integer({ min: 1, max: 200 }),
        (a, b, c, k, n, length) => {
          const [one, two] = [portableCrypto, nodeCrypto].map((crypto) => ({
            sha256: crypto.sha256(a),
            hmac: crypto.hmac(a, b),
            hkdf: crypto.hkdf(a, b, c, length),
            sealed: crypto.seal(k, n, a, b),
          }));
          expect(one).toEqual(two);
          expect(nodeCrypto.open(k, n, one!.sealed, b)).toEqual(a);
          expect(portableCrypto.open(k, n, two!.sealed, b)).toEqual(a);
        },
      ),
    );
  });

  it('sign, verify and agree on X25519 secrets alike', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), text, (a, b, message) => {
        const publicKey = nodeCrypto.ed25519PublicKey(a);
        expect(portableCrypto.ed25519PublicKey(a)).toEqual(publicKey);
        const signature = portableCrypto.ed25519Sign(message, a);
        expect(nodeCrypto.ed25519Sign(message, a)).toEqual(signature);
        expect(nodeCrypto.ed25519Verify(signature, message, publicKey)).toBe(true);
        expect(portableCrypto.ed25519Verify(signature, message, publicKey)).toBe(true);
        const [alice, bob] = [portableCrypto.x25519PublicKey(a), nodeCrypto.x25519PublicKey(b)];
        expect(nodeCrypto.x25519(a, bob)).toEqual(portableCrypto.x25519(b, alice));
      }),
      { numRuns: 30 },
    );
  });

  it('answer alike for arbitrary bytes in place of a signature and a key', () => {
    fc.assert(
      fc.property(bytes(64), bytes(32), text, (signature, publicKey, message) => {
        signature[63]! &= 0x0f;
        expect(portableCrypto.ed25519Verify(signature, message, publicKey)).toBe(false);
        expect(nodeCrypto.ed25519Verify(signature, message, publicKey)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});

describe('Randomness', () => {
  it.each([
    ['portable', portableRandom],
    ['node', nodeRandom],
  ])('%s: any length, never twice the same', (_, random) => {
    for (const length of [0, 1, 32, 65_537, 200_000]) expect(random(length).length).toBe(length);
    const seen = new Set(Array.from({ length: 1000 }, () => toHex(random(16))));
    expect(seen.size).toBe(1000);
    const long = random(200_000);
    for (let at = 0; at < long.length; at += 10_000)
      expect(long.subarray(at, at + 10_000).some((byte) => byte !== 0)).toBe(true);
  });

  it('seeded: the same bytes from the same seed on every adapter, however they are asked for', () => {
    const [one, two] = [portableCrypto, nodeCrypto].map((crypto) => seededRandom(crypto, utf8('seed')));
    expect(concat(one!(5), one!(0), one!(40))).toEqual(two!(45));
    expect(one!(16)).not.toEqual(seededRandom(nodeCrypto, utf8('seed'))(16));
    expect(seededRandom(nodeCrypto, utf8('seed2'))(16)).not.toEqual(
      seededRandom(nodeCrypto, utf8('seed'))(16),
    );
  });

  it('constantTimeEqual is equality', () => {
    fc.assert(fc.property(text, text, (a, b) => constantTimeEqual(a, b) === (toHex(a) === toHex(b))));
    fc.assert(fc.property(text, (a) => constantTimeEqual(a, a.slice())));
    expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(constantTimeEqual(Uint8Array.of(1, 2), Uint8Array.of(1))).toBe(false);
  });
});
