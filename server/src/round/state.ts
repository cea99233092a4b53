/**
 * The durable state of one run. Plain JSON: it is journalled, replayed and hashed; it sees hashes, never vectors.
 *
 *   gathering --open--> attempt --summed--> gathering (next round) ... --> ended
 *       ^                  |
 *       +--- void ---------+      (typed reason; the run goes on with a new attempt)
 *
 * While an attempt is open, its phase is the phase of the secure-aggregation machine inside it:
 * training -> sharing -> uploading -> agreeing -> unmasking, then `summing` while the aggregation worker works.
 */
import type { ErrorCode, Plan, RunStatus } from '@tributary/protocol';
import type { ServerAttempt } from '@tributary/protocol/secagg';

/** Raised when a replay of old entries could differ. */
export const MACHINE_VERSION = 5;

export interface Head {
  /** Rounds published. */
  readonly round: number;
  readonly model: string;
  readonly weights: string;
  readonly transcript: string | null;
}

export type Answer =
  | { readonly kind: 'consent' }
  | { readonly kind: 'decline'; readonly code: ErrorCode; readonly reason: string };

export interface OpenAttempt {
  readonly secagg: ServerAttempt;
  readonly number: number;
  readonly opened: number;
  /** Key to name of everybody who was invited. */
  readonly names: Readonly<Record<string, string>>;
  /** Bytes of durable updates. */
  readonly bytesUp: number;
  /** Name to the code with which it left. */
  readonly departures: Readonly<Record<string, ErrorCode>>;
  /** Dealer to those who found its share not fitting its hash. */
  readonly accusations: Readonly<Record<string, readonly string[]>>;
}

/** An attempt that ended without a sum, and who says that nothing of it will ever be unmasked. */
export interface VoidAttempt {
  readonly attempt: string;
  /** Which key it was opened under, where the coordinator has another one since. */
  readonly coordinator?: string;
  /** U1 and its hash. */
  readonly roster: string;
  readonly members: readonly string[];
  /** Whose vectors were acknowledged. */
  readonly sent: readonly string[];
  /** Signatures that make a certificate. */
  readonly quorum: number;
  /** By member. */
  readonly signatures: Readonly<Record<string, string>>;
  /** The attempt that was open when there were enough: it was announced without the certificate. */
  readonly certifiedIn?: string;
}

export type Stage =
  | { readonly kind: 'gathering' }
  | { readonly kind: 'attempt'; readonly open: OpenAttempt }
  /** The effect `sum` is owed. */
  | { readonly kind: 'summing'; readonly open: OpenAttempt }
  | { readonly kind: 'ended' };

export interface RunState {
  readonly id: string;
  readonly plan: Plan;
  readonly planHash: string;
  readonly parameters: number;
  readonly status: RunStatus;
  readonly reason: string | null;
  readonly head: Head;
  readonly stage: Stage;
  readonly answers: Readonly<Record<string, Answer>>;
  /** Members that sent a vector on the head's weights already; emptied when the head moves. */
  readonly sittingOut: readonly string[];
  /** Not invited to the next attempt: convicted dealers, and pairs that accuse each other. */
  readonly excluded: readonly string[];
  /** Attempts at the next round that ended after vectors were on their way; emptied when the head moves. */
  readonly voided?: readonly VoidAttempt[];
  /** Attempts opened for the round after the head. */
  readonly attempts: number;
  /** Who paused it: no attempt is opened then. */
  readonly paused?: string;
  /** Early stop: best value so far and rounds since. */
  readonly best: { readonly value: number; readonly since: number } | null;
}

export interface NewRun {
  readonly id: string;
  readonly plan: Plan;
  readonly planHash: string;
  readonly parameters: number;
  readonly model: string;
  readonly weights: string;
}

export function createRun(run: NewRun): RunState {
  return {
    id: run.id,
    plan: run.plan,
    planHash: run.planHash,
    parameters: run.parameters,
    status: 'waiting',
    reason: null,
    head: { round: 0, model: run.model, weights: run.weights, transcript: null },
    stage: { kind: 'gathering' },
    answers: {},
    sittingOut: [],
    excluded: [],
    attempts: 0,
    best: null,
  };
}
