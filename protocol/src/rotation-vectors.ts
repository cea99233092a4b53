/** Known answers for PROTOCOL.md 4.8: a member's key that is rotated twice, and a coordinator's. */
import type { Crypto } from './crypto/port.ts';
import { utf8 } from './encoding.ts';
import { identityFromSeed } from './identity.ts';
import { signRotation } from './rotation.ts';

const seedOf = (text: string) => utf8(text.padEnd(32, '.'));

export function rotationVectors(crypto: Crypto) {
  const identity = (text: string) => identityFromSeed(crypto, seedOf(text));
  const [first, second, third] = [identity('key 1'), identity('key 2'), identity('key 3')];
  const [coordinator, successor] = [identity('coordinator'), identity('coordinator 2')];
  const member = { subject: 'member', coordinator: coordinator.id } as const;
  return {
    note: 'Written by protocol/scripts/make-vectors.js; PROTOCOL.md 4.8. Seeds are ASCII, filled up to 32 bytes with dots: key 1, key 2, key 3, coordinator, coordinator 2.',
    member: [
      signRotation(crypto, first, second, { ...member, time: 1_700_000_000_000 }),
      signRotation(crypto, second, third, { ...member, time: 1_700_000_100_000 }),
    ],
    coordinator: [
      signRotation(crypto, coordinator, successor, {
        ...{ subject: 'coordinator', coordinator: coordinator.id, time: 1_700_000_200_000 },
      }),
    ],
  };
}
