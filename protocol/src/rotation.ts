/**
 * Changing a key (PROTOCOL.md 4.8). The old key signs that it had the right to, the new one that its holder has it. A
 * thief with the old key can sign as well: a chain proves where a key comes from, not that its owner wanted it.
 */
import { type Static, Type } from '@tributary/protocol/typebox';
import type { Crypto } from './crypto/port.ts';
import { TributaryError } from './errors.ts';
import { type Identity, requireSignature, sign } from './identity.ts';
import { LIMITS } from './limits.ts';
import { Closed, Key, Signature, Time } from './schema.ts';

export const RotationSubject = Type.Enum(['member', 'coordinator']);
export type RotationSubject = Static<typeof RotationSubject>;

export const Rotation = Closed({
  subject: RotationSubject,
  /** Whose member it is; of a coordinator: its old key. */
  coordinator: Key,
  old: Key,
  new: Key,
  time: Time,
});
export type Rotation = Static<typeof Rotation>;

/** Both signatures: domain `rotation`, over the rotation. */
export const SignedRotation = Closed({
  rotation: Rotation,
  signatures: Closed({ old: Signature, new: Signature }),
});
export type SignedRotation = Static<typeof SignedRotation>;

export const RotationList = Type.Array(SignedRotation, { maxItems: LIMITS.rotationList });

export interface RotationTerms {
  readonly subject: RotationSubject;
  readonly coordinator: string;
  readonly time: number;
}

export function signRotation(
  crypto: Crypto,
  before: Identity,
  after: Identity,
  { subject, coordinator, time }: RotationTerms,
): SignedRotation {
  const rotation: Rotation = { subject, coordinator, old: before.id, new: after.id, time };
  const by = (signer: Identity) => sign(crypto, signer, 'rotation', rotation);
  return { rotation, signatures: { old: by(before), new: by(after) } };
}

export interface RotationExpected {
  readonly subject: RotationSubject;
  /** Keys of the coordinator whose members may rotate: its present one and those before. Not asked of its own. */
  readonly coordinators?: readonly string[];
}

/** @throws malformed, wrong-coordinator, bad-signature */
export function requireRotation(
  crypto: Crypto,
  { rotation, signatures }: SignedRotation,
  { subject, coordinators = [] }: RotationExpected,
): void {
  if (rotation.subject !== subject)
    throw new TributaryError('malformed', `The rotation is of a ${rotation.subject}, not of a ${subject}.`);
  if (rotation.old === rotation.new)
    throw new TributaryError('malformed', 'The rotation names one key as the old and the new one.');
  const known = subject === 'coordinator' ? [rotation.old] : coordinators;
  if (!known.includes(rotation.coordinator))
    throw new TributaryError('wrong-coordinator', `The rotation is for coordinator ${rotation.coordinator}.`);
  for (const which of ['old', 'new'] as const)
    requireSignature(
      crypto,
      rotation[which],
      'rotation',
      rotation,
      signatures[which],
      `the rotation, by the ${which} key,`,
    );
}

/**
 * The rotations that lead from the key `from` to its last successor, oldest first; none where it has not been rotated.
 * Others in the list are not looked at.
 * @throws equivocation for two successors of one key, or a key that comes back; too-large; as `requireRotation`
 */
export function chainFrom(
  crypto: Crypto,
  from: string,
  rotations: readonly SignedRotation[],
  expected: RotationExpected,
): SignedRotation[] {
  const chain: SignedRotation[] = [];
  const passed = new Set([from]);
  for (let key = from; ; ) {
    const next = rotations.filter(({ rotation }) => rotation.old === key);
    const [signed] = next;
    if (!signed) return chain;
    if (next.some(({ rotation }) => rotation.new !== signed.rotation.new))
      throw new TributaryError('equivocation', `Key ${key} was rotated to two different keys.`);
    requireRotation(crypto, signed, expected);
    key = signed.rotation.new;
    if (passed.has(key))
      throw new TributaryError('equivocation', `Key ${key} comes back in a chain of rotations.`);
    passed.add(key);
    chain.push(signed);
    if (chain.length > LIMITS.rotations)
      throw new TributaryError('too-large', `More than ${LIMITS.rotations} rotations of one key.`);
  }
}
