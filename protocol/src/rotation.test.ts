import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { portableCrypto } from './crypto/index.ts';
import { nodeCrypto } from './crypto/node.ts';
import { type Identity, identityFromSeed, sign } from './identity.ts';
import { LIMITS } from './limits.ts';
import { chainFrom, requireRotation, SignedRotation, signRotation } from './rotation.ts';
import { rotationVectors } from './rotation-vectors.ts';
import { validate } from './schema.ts';

const key = (n: number): Identity => {
  const seed = new Uint8Array(32);
  seed.set([n & 255, n >> 8], 0);
  return identityFromSeed(nodeCrypto, seed);
};
const home = key(1000).id;
const terms = { subject: 'member', coordinator: home, time: 1 } as const;
const rotate = (from: number, to: number): SignedRotation =>
  signRotation(nodeCrypto, key(from), key(to), terms);
const expected = { subject: 'member', coordinators: [home] } as const;
const code = (name: string) => expect.objectContaining({ code: name });

describe('the known answers of vectors/rotation.json', () => {
  const file = JSON.parse(readFileSync(new URL('../vectors/rotation.json', import.meta.url), 'utf8'));
  it.each([
    ['node', nodeCrypto],
    ['portable', portableCrypto],
  ])('are reproduced by the %s adapter', (_, crypto) => {
    expect(rotationVectors(crypto)).toEqual(file);
  });
  it('are chains', () => {
    const [first] = file.member;
    const coordinators = [first.rotation.coordinator];
    expect(
      chainFrom(nodeCrypto, first.rotation.old, file.member, { subject: 'member', coordinators }),
    ).toHaveLength(2);
    const [own] = file.coordinator;
    expect(
      chainFrom(nodeCrypto, own.rotation.old, file.coordinator, { subject: 'coordinator' }),
    ).toHaveLength(1);
  });
});

describe('a rotation is refused', () => {
  const good = rotate(1, 2);
  const { rotation, signatures } = good;
  const signedBy = (signer: Identity) => sign(nodeCrypto, signer, 'rotation', rotation);
  it.each<[string, SignedRotation, string]>([
    [
      'that only the new key signed',
      { rotation, signatures: { ...signatures, old: signedBy(key(2)) } },
      'bad-signature',
    ],
    [
      'that only the old key signed',
      { rotation, signatures: { ...signatures, new: signedBy(key(1)) } },
      'bad-signature',
    ],
    [
      'that a stranger signed',
      { rotation, signatures: { old: signedBy(key(9)), new: signedBy(key(9)) } },
      'bad-signature',
    ],
    ['with another time than was signed', { ...good, rotation: { ...rotation, time: 2 } }, 'bad-signature'],
    [
      'with another new key than was signed',
      { ...good, rotation: { ...rotation, new: key(3).id } },
      'bad-signature',
    ],
    [
      'for another coordinator',
      signRotation(nodeCrypto, key(1), key(2), { ...terms, coordinator: key(8).id }),
      'wrong-coordinator',
    ],
    [
      'of a coordinator, for a member',
      signRotation(nodeCrypto, key(1), key(2), {
        ...{ subject: 'coordinator', coordinator: key(1).id, time: 1 },
      }),
      'malformed',
    ],
    ['to the same key', rotate(1, 1), 'malformed'],
  ])('%s', (_, signed, expectedCode) => {
    expect(() => requireRotation(nodeCrypto, signed, expected)).toThrow(code(expectedCode));
  });
  it('signed in another domain', () => {
    const other = sign(nodeCrypto, key(1), 'enrol', rotation);
    const signed = { rotation, signatures: { ...signatures, old: other } };
    expect(() => requireRotation(nodeCrypto, signed, expected)).toThrow(code('bad-signature'));
  });
  it('with a time that is no date, which nobody could be told', () => {
    const at = (time: number) => ({ rotation: { ...rotation, time }, signatures });
    const last = 8.64e15;
    expect(validate(SignedRotation, at(last), 'rotation').rotation.time).toBe(last);
    expect(() => new Date(last).toISOString()).not.toThrow();
    expect(() => validate(SignedRotation, at(last + 1), 'rotation')).toThrow(code('malformed'));
  });

  it('and nothing else is wrong with it', () => requireRotation(nodeCrypto, good, expected));
});

describe('a chain', () => {
  const end = (from: number, list: readonly SignedRotation[]) =>
    chainFrom(nodeCrypto, key(from).id, list, expected).at(-1)?.rotation.new;
  it('leads from whichever key is pinned to the last one, in whatever order it comes', () => {
    const list = [rotate(3, 4), rotate(1, 2), rotate(7, 8), rotate(2, 3)];
    expect([1, 2, 3, 4].map((from) => end(from, list))).toEqual([key(4).id, key(4).id, key(4).id, undefined]);
  });
  it('that forks is refused: the coordinator shows one successor to some, another to others', () => {
    expect(() => end(1, [rotate(1, 2), rotate(2, 3), rotate(2, 4)])).toThrow(code('equivocation'));
  });
  it('that comes back to a key is refused', () => {
    expect(() => end(1, [rotate(1, 2), rotate(2, 3), rotate(3, 1)])).toThrow(code('equivocation'));
  });
  it('with one link that is not signed is refused', () => {
    const forged = { ...rotate(2, 3), signatures: rotate(1, 2).signatures };
    expect(() => end(1, [rotate(1, 2), forged])).toThrow(code('bad-signature'));
  });
  it('without end is refused', () => {
    const list = Array.from({ length: LIMITS.rotations + 1 }, (_, i) => rotate(i + 1, i + 2));
    expect(() => end(1, list)).toThrow(code('too-large'));
    expect(end(2, list)).toBe(key(LIMITS.rotations + 2).id);
  });
});
