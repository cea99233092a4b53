/**
 * Abandoned attempts (PROTOCOL.md 6.11). A node that sent a vector in an attempt that ended without a sum may send
 * another one on the same base weights only once it is certain that nobody will ever unmask the first: two sums over
 * different partners on the same base would tell a partner's part. Enough members say so, each for itself and for ever.
 */
import type { Crypto } from '../crypto/port.ts';
import { TributaryError } from '../errors.ts';
import { type Identity, sign, verify } from '../identity.ts';
import { bindingOf, isSecure } from './client-machine.ts';
import type { ClientAttempt } from './client-state.ts';

/** What a member signs, domain `abandon`: it has revealed no share of this attempt, and never will. */
export interface Abandonment {
  readonly coordinator: string;
  /** Hash of the announcement. */
  readonly announcement: string;
  /** U1 hash. */
  readonly roster: string;
}

/** A member's signature on an abandonment. */
export interface AbandonSignature {
  readonly member: string;
  readonly signature: string;
}

/**
 * What a node may sign once it has left the attempt and wiped its shares; null where it has none, or has revealed them
 * already. Take it from the state before it is left.
 */
export function abandonmentOf(state: ClientAttempt): Abandonment | null {
  if (state.phase === 'left' || !('roster' in state) || state.phase === 'unmasked' || !isSecure(state))
    return null;
  const { coordinator, announcement } = bindingOf(state);
  return { coordinator, announcement, roster: state.roster.hash };
}

export function signAbandonment(crypto: Crypto, identity: Identity, abandonment: Abandonment): string {
  return sign(crypto, identity, 'abandon', { ...abandonment, member: identity.id });
}

export function verifyAbandonment(
  crypto: Crypto,
  abandonment: Abandonment,
  { member, signature }: AbandonSignature,
): boolean {
  return verify(crypto, member, 'abandon', { ...abandonment, member }, signature);
}

/**
 * The members of U1 who signed, each once; others and wrong signatures do not count.
 * @throws below-threshold with fewer than `quorum`
 */
export function requireAbandoned(
  crypto: Crypto,
  abandonment: Abandonment,
  { members, quorum }: { readonly members: readonly string[]; readonly quorum: number },
  signatures: readonly AbandonSignature[],
): string[] {
  const signers = new Set<string>();
  for (const given of signatures)
    if (members.includes(given.member) && !signers.has(given.member))
      if (verifyAbandonment(crypto, abandonment, given)) signers.add(given.member);
  if (signers.size < quorum)
    throw new TributaryError(
      'below-threshold',
      `${signers.size} members signed that attempt ${abandonment.announcement.slice(0, 12)} is abandoned, ${quorum} must.`,
    );
  return [...signers].sort();
}
