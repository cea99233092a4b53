/**
 * One attempt as the coordinator lives it (PROTOCOL.md 6). Pure: no clock, no I/O; JSON state (server-state.ts). Every
 * `receive*` either returns the next state (the same object where a repetition changes nothing) or throws a
 * TributaryError that names member, phase and rule, and then nothing has changed.
 *
 * Whatever a member could do to make honest clients refuse a whole list is refused here first, from that member alone.
 */
import { canonicalJson } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { hashStatement, requireSignature, sign } from '../identity.ts';
import { FLOORS, LIMITS } from '../limits.ts';
import { PROTOCOL_VERSION } from '../version.ts';
import { attemptId, type Binding, requireBinding } from './binding.ts';
import { requireDistinctKeys, requireUsableKey } from './keys.ts';
import type { Advertising, Frozen, ServerAttempt, ServerContext, Sharing } from './server-state.ts';
import { outOfPhase, present, refusal, requirePresent } from './server-state.ts';
import type { Announcement, Roster, SignedAdvert } from './statements.ts';
import { cohortFloor, threshold } from './thresholds.ts';

/** @param fields everything else in the announcement; `nonce` is 128 fresh random bits. @param invited who may advertise. */
export function openServerAttempt(
  { crypto, identity }: ServerContext,
  fields: Omit<Announcement, 'version' | 'coordinator'>,
  invited: readonly string[],
): { state: Advertising; announcement: Announcement; signature: string } {
  const announcement: Announcement = { version: PROTOCOL_VERSION, coordinator: identity.id, ...fields };
  const signature = sign(crypto, identity, 'announcement', announcement);
  const attempt = attemptId(crypto, announcement);
  const state: Advertising = {
    phase: 'advertise',
    ...{ attempt, announcement, signature, invited: [...new Set(invited)], left: [], adverts: {} },
  };
  return { state, announcement, signature };
}

/**
 * Nothing more is expected of the member. It stays in lists that are frozen, and is in no later one; but a vector of it
 * that is durable `stands` for U3 when only its process ended, as nobody took it back (PROTOCOL.md 6.6).
 */
export function leave(
  state: ServerAttempt,
  member: string,
  vector: 'withdrawn' | 'stands' = 'withdrawn',
): ServerAttempt {
  if (!state.invited.includes(member)) throw refusal('wrong-attempt', state, member, 'only members leave');
  const next = state.left.includes(member) ? state : { ...state, left: [...state.left, member] };
  if (vector === 'stands' || next.phase !== 'upload' || !next.updates[member]) return next;
  const { [member]: _, ...updates } = next.updates;
  return { ...next, updates };
}

/** @throws late, wrong-attempt, conflict for a second, different advert or somebody else's key, bad-signature */
export function receiveAdvert(
  state: ServerAttempt,
  { crypto }: ServerContext,
  member: string,
  signed: SignedAdvert,
): ServerAttempt {
  const known =
    state.phase === 'advertise'
      ? state.adverts[member]
      : state.roster.statement.adverts.find(({ advert }) => advert.member === member);
  if (known && canonicalJson(known) === canonicalJson(signed)) return state;
  if (state.phase !== 'advertise') throw outOfPhase(state, member, 'advertise', 'An advert');
  requirePresent(state, member, 'An advert');
  if (known) throw refusal('conflict', state, member, 'a member advertises once');
  const { advert, signature } = signed;
  const what = `The advert of ${member}`;
  if (advert.member !== member)
    throw refusal('bad-signature', state, member, `the advert names ${advert.member}`);
  requireBinding(bindingOf(state), advert, what);
  requireSignature(crypto, member, 'advert', advert, signature, what);
  requireUsableKey(crypto, advert.encryptionKey, `${what}: the encryption key`);
  requireUsableKey(crypto, advert.maskKey, `${what}: the mask key`);
  requireDistinctKeys([...Object.values(state.adverts), signed]);
  return { ...state, adverts: { ...state.adverts, [member]: signed } };
}

/** A list that could not be frozen: the state is as before, and the attempt cannot go on like this. */
export interface Failed {
  readonly kind: 'failed';
  readonly error: TributaryError;
}

/** `state` is for the journal, before anything is sent. */
export type Freeze<T extends object> =
  | ({ readonly kind: 'frozen'; readonly state: ServerAttempt } & T)
  | Failed;

export function failed(code: TributaryError['code'], message: string): Failed {
  return { kind: 'failed', error: new TributaryError(code, message) };
}

/** Signs a statement with the coordinator's key, once. */
export function freeze<T>(
  { crypto, identity }: ServerContext,
  domain: 'roster' | 'cohort' | 'survivors',
  statement: T,
): Frozen<T> {
  return {
    statement,
    hash: hashStatement(crypto, domain, statement),
    signature: sign(crypto, identity, domain, statement),
  };
}

/** U1: all who advertised and did not leave. Fails with cohort-too-large, below-threshold. */
export function freezeRoster(
  state: ServerAttempt,
  context: ServerContext,
  { minimum }: { minimum: number },
): Freeze<{ roster: Roster; signature: string }> {
  if (state.phase !== 'advertise') {
    const { statement, signature } = state.roster;
    return { kind: 'frozen', state, roster: statement, signature };
  }
  const members = present(state)
    .filter((member) => state.adverts[member])
    .sort();
  const n = members.length;
  if (n > LIMITS.cohort)
    return failed('cohort-too-large', `U1 would have ${n} members, the limit is ${LIMITS.cohort}.`);
  const c = state.announcement.aggregation.collusion;
  const t = threshold(n, c);
  const floor = cohortFloor({ t, minRoster: minimum });
  if (n < floor)
    return failed(
      'below-threshold',
      `U1 would have ${n} members, max(t = ${t}, minimum = ${minimum}, ${FLOORS.members}) is ${floor}.`,
    );
  const roster = freeze(context, 'roster', {
    ...bindingOf(state),
    adverts: members.map((member) => state.adverts[member]!),
  });
  const { adverts: _, ...opened } = state;
  const next: Sharing = { ...opened, phase: 'share', roster, threshold: t, deals: {} };
  return { kind: 'frozen', state: next, roster: roster.statement, signature: roster.signature };
}

export function bindingOf(state: ServerAttempt): Binding {
  return { coordinator: state.announcement.coordinator, announcement: state.attempt };
}
