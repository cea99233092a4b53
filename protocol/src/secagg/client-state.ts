/**
 * What a partner's node knows in one attempt. Secrets live in memory only: a node that restarts leaves the attempt.
 * Every Uint8Array in a state is a secret, nothing else is; `wipe` relies on it.
 *
 *   announced -> advertised -> dealt -> masking -> masked -> agreed -> unmasked
 *                        any of them -> left (a refusal, an equivocation, the owner's stop, the end of the attempt)
 */
import type { Crypto } from '../crypto/port.ts';
import { asTributaryError, type ErrorCode, TributaryError } from '../errors.ts';
import type { Identity } from '../identity.ts';
import type { MaskTerm } from './masks.ts';
import type { Announcement, SignedAdvert, SignedDeal, UnmaskShares } from './statements.ts';

export interface ClientContext {
  readonly crypto: Crypto;
  readonly identity: Identity;
  /** The owner's policy; the hard floors of limits.ts hold as well. */
  readonly floors: {
    /** Least pinned members in U1 and in U2, oneself included. */
    readonly minRoster: number;
    /** Least pinned members in U3, oneself included. */
    readonly minSum: number;
    /** c: pinned partners assumed to collude with the coordinator. */
    readonly collusion: number;
  };
  /** Ids whose keys the owner has accepted; the own id always counts. */
  readonly pinned: ReadonlySet<string>;
  /** `plain` aggregation shows the update to the coordinator; refused unless this is true. */
  readonly allowPlain?: boolean;
}

interface Opened {
  readonly announcement: Announcement;
  /** Hash of the announcement. */
  readonly attempt: string;
}

export interface Announced extends Opened {
  readonly phase: 'announced';
}

/** Private halves of the advertised keys. */
export interface EphemeralSecrets {
  readonly encryption: Uint8Array;
  readonly mask: Uint8Array;
}

interface HasAdvert extends Opened {
  readonly advert: SignedAdvert;
}

/** Waits for U1. */
export interface Advertised extends HasAdvert {
  readonly phase: 'advertised';
  readonly secrets: EphemeralSecrets;
}

/** The latched U1. */
export interface LatchedRoster {
  readonly hash: string;
  readonly members: readonly string[];
  /** Own index; own shares have x = index + 1. */
  readonly index: number;
  readonly threshold: number;
}

interface HasRoster extends HasAdvert {
  readonly roster: LatchedRoster;
  /** The answer to U1. */
  readonly deals: readonly SignedDeal[];
}

/** X25519 with every other member of U1, in order. */
export interface PeerSecrets {
  readonly member: string;
  readonly encryption: Uint8Array;
  readonly mask: Uint8Array;
}

/** Waits for U2. */
export interface Dealt extends HasRoster {
  readonly phase: 'dealt';
  readonly peers: readonly PeerSecrets[];
  readonly seed: Uint8Array;
  /** Hex; what U2 must say of this member. */
  readonly seedCommitment: string;
  readonly ownShares: HeldShares;
}

/** The two shares that this member holds of one member of U2, itself included. At most one of them is ever revealed. */
export interface HeldShares {
  readonly of: string;
  readonly mask: Uint8Array;
  readonly seed: Uint8Array;
}

interface HasCohort extends HasRoster {
  /** The latched U2. */
  readonly cohort: { readonly hash: string; readonly members: readonly string[] };
  readonly shares: readonly HeldShares[];
}

/** Quantises and masks; nothing has left yet. */
export interface Masking extends HasCohort {
  readonly phase: 'masking';
  readonly terms: readonly MaskTerm[];
}

/** The masked vector is fixed and may be uploaded; waits for U3. */
export interface Masked extends HasCohort {
  readonly phase: 'masked';
  /** SHA-256 of the masked vector, hex. */
  readonly sha256: string;
}

interface HasSurvivors extends Omit<HasCohort, 'shares'> {
  readonly sha256: string;
  /** The latched U3. */
  readonly survivors: { readonly hash: string; readonly members: readonly string[] };
  /** The answer to U3; null in plain mode, where nothing follows. */
  readonly signature: string | null;
}

/** Waits for t signatures on the same U3. */
export interface Agreed extends HasSurvivors {
  readonly phase: 'agreed';
  readonly shares: readonly HeldShares[];
}

/** Has revealed its shares; keeps only the answer. */
export interface Unmasked extends HasSurvivors {
  readonly phase: 'unmasked';
  readonly answer: UnmaskShares;
}

/** Answers nothing any more and holds no secret. */
export interface Left extends Opened {
  readonly phase: 'left';
  readonly code: ErrorCode;
  readonly reason: string;
}

export type ClientAttempt = Announced | Advertised | Dealt | Masking | Masked | Agreed | Unmasked | Left;

/** A request was refused. Unless it only came in the wrong phase, the attempt is left and its secrets are wiped. */
export interface Refused {
  readonly kind: 'refused';
  readonly state: ClientAttempt;
  readonly error: TributaryError;
  /** Dealers whose sealed shares did not fit what they signed; for the `leave` message. */
  readonly convict: readonly string[];
}

/** Use the returned state from here on, whatever the kind: going back to an older one would undo a latch. */
export type Step<A extends object> =
  | ({ readonly kind: 'answered'; readonly state: ClientAttempt } & A)
  | Refused;

/** Shares that do not fit what their dealers signed. */
export class BadDeals extends TributaryError {
  readonly dealers: readonly string[];

  constructor(dealers: readonly string[]) {
    super('bad-share', `The shares dealt by ${dealers.join(', ')} do not fit what these members signed.`);
    this.dealers = dealers;
  }
}

/** Overwrites every secret in `state`; also leaves older states that share them without any. */
function wipe(value: unknown): void {
  if (value instanceof Uint8Array) value.fill(0);
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) wipe(part);
}

/** Overwrites secrets that the next state does not need. */
export function forget(...secrets: unknown[]): void {
  wipe(secrets);
}

/** Ends the attempt on this side: after a refusal, when the owner stops it, when it was published or abandoned. */
export function leaveAttempt(state: ClientAttempt, code: ErrorCode, reason: string): Left {
  if (state.phase === 'left') return state;
  wipe(state);
  return { phase: 'left', announcement: state.announcement, attempt: state.attempt, code, reason };
}

/** Runs one step; whatever it throws ends the attempt. */
export function step<A extends object>(state: ClientAttempt, run: () => Step<A>): Step<A> {
  if (state.phase === 'left')
    return refuse(state, new TributaryError('wrong-attempt', `This node left the attempt: ${state.reason}`));
  try {
    return run();
  } catch (thrown) {
    const error = asTributaryError(thrown);
    return {
      kind: 'refused',
      state: leaveAttempt(state, error.code, error.message),
      error,
      convict: error instanceof BadDeals ? error.dealers : [],
    };
  }
}

function refuse(state: ClientAttempt, error: TributaryError): Refused {
  return { kind: 'refused', state, error, convict: [] };
}

/** Nothing was answered and nothing changes: the same request may be right later. */
export function wrongPhase(state: ClientAttempt, request: string): Refused {
  return refuse(state, new TributaryError('wrong-phase', `${request} does not fit phase ${state.phase}.`));
}
