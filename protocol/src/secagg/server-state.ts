/**
 * What the coordinator knows in one attempt: plain JSON for the journal, hashes instead of vectors. A frozen list is signed
 * once and never replaced; the caller makes it durable before it is sent.
 *
 *   advertise -> share -> upload -> agree -> unmask
 *     freezeRoster  freezeCohort  freezeSurvivors  (t signatures)
 * In plain mode `agree` is skipped and `unmask` has nothing to wait for.
 */
import type { Crypto } from '../crypto/port.ts';
import { TributaryError } from '../errors.ts';
import type { Identity } from '../identity.ts';
import type { AgreementSignature } from './client-unmask.ts';
import type {
  Announcement,
  Cohort,
  Roster,
  SignedAdvert,
  SignedDeal,
  Survivors,
  UnmaskShares,
} from './statements.ts';

export interface ServerContext {
  readonly crypto: Crypto;
  /** The coordinator's own. */
  readonly identity: Identity;
}

/** A statement that the coordinator has signed; write-once. */
export interface Frozen<T> {
  readonly statement: T;
  readonly hash: string;
  readonly signature: string;
}

export type ByMember<T> = Readonly<Record<string, T>>;

interface Opened {
  /** Hash of the announcement. */
  readonly attempt: string;
  readonly announcement: Announcement;
  readonly signature: string;
  /** Who may advertise. */
  readonly invited: readonly string[];
  /** Who left for good: nothing more is expected of them. */
  readonly left: readonly string[];
}

export interface Advertising extends Opened {
  readonly phase: 'advertise';
  readonly adverts: ByMember<SignedAdvert>;
}

interface HasRoster extends Opened {
  readonly roster: Frozen<Roster>;
  readonly threshold: number;
  /** By dealer. */
  readonly deals: ByMember<readonly SignedDeal[]>;
}

export interface Sharing extends HasRoster {
  readonly phase: 'share';
}

interface HasCohort extends HasRoster {
  readonly cohort: Frozen<Cohort>;
  /** SHA-256 of the durable masked vectors. */
  readonly updates: ByMember<string>;
}

export interface Uploading extends HasCohort {
  readonly phase: 'upload';
}

interface HasSurvivors extends HasCohort {
  readonly survivors: Frozen<Survivors>;
}

export interface Agreeing extends HasSurvivors {
  readonly phase: 'agree';
  readonly signatures: readonly AgreementSignature[];
}

export interface Unmasking extends HasSurvivors {
  readonly phase: 'unmask';
  /** The first t signatures that came; empty in plain mode. */
  readonly signatures: readonly AgreementSignature[];
  readonly answers: ByMember<UnmaskShares>;
}

export type ServerAttempt = Advertising | Sharing | Uploading | Agreeing | Unmasking;

const ORDER = ['advertise', 'share', 'upload', 'agree', 'unmask'] as const;

export function isSecure({ announcement }: ServerAttempt): boolean {
  return announcement.aggregation.mode === 'secure';
}

export function rosterMembers(state: { readonly roster: Frozen<Roster> }): string[] {
  return state.roster.statement.adverts.map(({ advert }) => advert.member);
}

export function cohortMembers(state: { readonly cohort: Frozen<Cohort> }): string[] {
  return state.cohort.statement.members.map(({ member }) => member);
}

export function survivorMembers(state: { readonly survivors: Frozen<Survivors> }): string[] {
  return state.survivors.statement.updates.map(({ member }) => member);
}

/** The members that the current phase works with, without those who left. */
export function present(state: ServerAttempt): string[] {
  const members = () => {
    switch (state.phase) {
      case 'advertise':
        return [...state.invited];
      case 'share':
        return rosterMembers(state);
      case 'upload':
        return cohortMembers(state);
      case 'agree':
      case 'unmask':
        return survivorMembers(state);
    }
  };
  return members().filter((member) => !state.left.includes(member));
}

/** @throws wrong-attempt for strangers to the attempt, those who left, and those who are not in the current list. */
export function requirePresent(state: ServerAttempt, member: string, what: string): void {
  if (!present(state).includes(member))
    throw refusal('wrong-attempt', state, member, `${what} needs a member of this phase`);
}

/** Too early is `wrong-phase`, too late is `late`. */
export function outOfPhase(
  state: ServerAttempt,
  member: string,
  wanted: ServerAttempt['phase'],
  what: string,
): TributaryError {
  const early = ORDER.indexOf(state.phase) < ORDER.indexOf(wanted);
  return refusal(early ? 'wrong-phase' : 'late', state, member, `${what} belongs into phase ${wanted}`);
}

export function refusal(
  code: TributaryError['code'],
  state: ServerAttempt,
  member: string,
  rule: string,
): TributaryError {
  return new TributaryError(code, `Phase ${state.phase}, member ${member}: ${rule}.`);
}
