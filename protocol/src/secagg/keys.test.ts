import { describe, expect, it } from 'vitest';
import { portableCrypto } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { fromHex, toBase64, toHex, utf8 } from '../encoding.ts';
import { identities } from './fixtures.ts';
import { openShares, type Passage, requireUsableKey, sealShares, seedCommitment, shareHash } from './keys.ts';

const hash = (text: string) => toHex(nodeCrypto.sha256(utf8(text)));
const [alice, bob, carol] = identities(3).map(({ id }) => id) as [string, string, string];
const passage: Passage = { announcement: hash('a'), roster: hash('u1'), dealer: alice, receiver: bob };
const shared = nodeCrypto.sha256(utf8('shared'));
const share = (fill: number) => new Uint8Array(33).fill(fill);

describe('sealed shares', () => {
  const sealed = sealShares(nodeCrypto, shared, passage, share(1), share(2));

  it('open for their passage, with either adapter', () => {
    for (const crypto of [nodeCrypto, portableCrypto])
      expect(openShares(crypto, shared, passage, sealed)).toEqual({ mask: share(1), seed: share(2) });
    expect(sealed.length).toBe(82);
  });

  it.each([
    ['announcement', hash('another')],
    ['roster', hash('another')],
    ['dealer', carol],
    ['receiver', carol],
  ])('do not open under another %s', (field, value) => {
    expect(() => openShares(nodeCrypto, shared, { ...passage, [field]: value }, sealed)).toThrow('tag');
  });

  it('do not open in the other direction, nor altered, nor cut', () => {
    const reverse = { ...passage, dealer: bob, receiver: alice };
    expect(() => openShares(nodeCrypto, shared, reverse, sealed)).toThrow('tag');
    for (let at = 0; at < sealed.length; at++) {
      const altered = sealed.slice();
      altered[at]! ^= 0x80;
      expect(() => openShares(nodeCrypto, shared, passage, altered)).toThrow('tag');
    }
    expect(() => openShares(nodeCrypto, shared, passage, sealed.subarray(0, 81))).toThrow('tag');
  });

  it('of another length are refused although they open', () => {
    const short = sealShares(nodeCrypto, shared, passage, share(1), share(2).subarray(1));
    expect(() => openShares(nodeCrypto, shared, passage, short)).toThrow(
      expect.objectContaining({ code: 'bad-share' }),
    );
  });
});

describe('hashes of shares and seeds', () => {
  it('bind every field', () => {
    const hashes = [
      shareHash(nodeCrypto, 'mask', passage, share(1)),
      shareHash(nodeCrypto, 'seed', passage, share(1)),
      shareHash(nodeCrypto, 'mask', { ...passage, announcement: hash('b') }, share(1)),
      shareHash(nodeCrypto, 'mask', { ...passage, dealer: carol }, share(1)),
      shareHash(nodeCrypto, 'mask', { ...passage, receiver: carol }, share(1)),
      shareHash(nodeCrypto, 'mask', passage, share(3)),
      seedCommitment(nodeCrypto, passage.announcement, alice, share(1)),
      seedCommitment(nodeCrypto, passage.announcement, bob, share(1)),
      seedCommitment(nodeCrypto, hash('b'), alice, share(1)),
      seedCommitment(nodeCrypto, passage.announcement, alice, share(2)),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('advertised keys', () => {
  // Every u coordinate of low order on the curve and its twist: 0, 1, two of order 8, -1; then what p and p + 1 reduce to.
  it.each([
    ['0000000000000000000000000000000000000000000000000000000000000000', 'low order'],
    ['0100000000000000000000000000000000000000000000000000000000000000', 'low order'],
    ['e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'low order'],
    ['5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157', 'low order'],
    ['ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'low order'],
    ['edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'canonical'],
    ['eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'canonical'],
    ['0900000000000000000000000000000000000000000000000000000000000080', 'canonical'],
  ])('%s is refused: %s', (hex, reason) => {
    for (const crypto of [nodeCrypto, portableCrypto])
      expect(() => requireUsableKey(crypto, toBase64(fromHex(hex)), 'The key')).toThrow(reason);
  });

  it('in canonical form and of full order are taken', () => {
    const key = toBase64(nodeCrypto.x25519PublicKey(shared));
    expect(() => requireUsableKey(nodeCrypto, key, 'The key')).not.toThrow();
  });
});
