/** Hashes that name the frozen statements of an attempt, and the checks that a statement belongs where it claims. */
import type { Crypto } from '../crypto/port.ts';
import { TributaryError } from '../errors.ts';
import { hashStatement, requireSignature } from '../identity.ts';
import type { Agreement, Announcement, Cohort, Roster, Survivors } from './statements.ts';

/** Id of an attempt: the hash of its announcement. Hex, as all of these. */
export function attemptId(crypto: Crypto, announcement: Announcement): string {
  return hashStatement(crypto, 'announcement', announcement);
}

export function rosterHash(crypto: Crypto, roster: Roster): string {
  return hashStatement(crypto, 'roster', roster);
}

export function cohortHash(crypto: Crypto, cohort: Cohort): string {
  return hashStatement(crypto, 'cohort', cohort);
}

export function survivorsHash(crypto: Crypto, survivors: Survivors): string {
  return hashStatement(crypto, 'survivors', survivors);
}

/** What a statement must repeat: the fields that apply to it. */
export interface Binding {
  readonly coordinator: string;
  readonly announcement: string;
  readonly roster?: string;
  readonly cohort?: string;
}

const FIELDS = ['coordinator', 'announcement', 'roster', 'cohort'] as const;

/** @throws wrong-attempt naming the first field of `binding` that `statement` does not repeat. */
export function requireBinding(binding: Binding, statement: Binding, what: string): void {
  for (const field of FIELDS)
    if (binding[field] !== undefined && binding[field] !== statement[field])
      throw new TributaryError(
        'wrong-attempt',
        `${what} is bound to ${field} ${statement[field]}, this attempt has ${binding[field]}.`,
      );
}

/** @throws bad-signature unless `binding.coordinator` signed; wrong-attempt unless bound as said. */
export function requireFromCoordinator(
  crypto: Crypto,
  binding: Binding,
  domain: 'roster' | 'cohort' | 'survivors',
  statement: Roster | Cohort | Survivors,
  signature: string,
): void {
  requireSignature(crypto, binding.coordinator, domain, statement, signature, `the ${domain}`);
  requireBinding(binding, statement, `The ${domain}`);
}

/** Lists are strictly ascending by id, so that each set has one form and nobody counts twice. @throws malformed */
export function requireAscending(members: readonly string[], what: string): void {
  members.forEach((member, i) => {
    if (i > 0 && members[i - 1]! >= member)
      throw new TributaryError(
        'malformed',
        `${what} must list each member once, in ascending order: ${member}.`,
      );
  });
}

/** @throws equivocation naming who is in `inner` but was not in `outer`. */
export function requireSubset(inner: readonly string[], outer: readonly string[], what: string): void {
  const known = new Set(outer);
  const strangers = inner.filter((member) => !known.has(member));
  if (strangers.length > 0)
    throw new TributaryError('equivocation', `${what}, but not ${strangers.join(', ')}.`);
}

/** What the survivors sign (domain `survivor-agreement`). */
export function agreementOf(binding: Required<Binding>, survivors: string, member: string): Agreement {
  const { coordinator, announcement, roster, cohort } = binding;
  return { coordinator, announcement, roster, cohort, survivors, member };
}
