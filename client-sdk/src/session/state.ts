/**
 * What a node knows while it runs. Attempts live in memory only: a node that restarts leaves them.
 *
 * A run:      proposed -> consented | declined; either changes when the owner decides, accepts members, or an attempt
 *             is refused; gone when the run ends.
 * An attempt: training -> waiting -> masking -> uploading -> waiting ... -> gone
 *   training   from the announcement until the trainer is done; then the advert goes out
 *   waiting    nothing to do here until the coordinator's next list (the secure-aggregation machine knows which)
 *   masking    from U2 until the vector is masked, its hash latched and the ledger written
 *   uploading  until the coordinator has it durably
 *   gone       published, abandoned, replaced by a newer announcement, refused, failed, or stopped by the owner
 */
import type { ErrorCode, Plan } from '@tributary/protocol';
import type { Abandonment, ClientAttempt } from '@tributary/protocol/secagg';
import type { Approvals, PlanHashes } from '../policy/index.ts';
import { FRESH, type Idle } from './idle.ts';
import type { LedgerView } from './ledger.ts';

export type Answer =
  | { readonly kind: 'consented' }
  /** `approval-pending` while the owner is asked. */
  | { readonly kind: 'declined'; readonly code: ErrorCode };

export interface KnownRun {
  readonly plan: Plan;
  readonly hashes: PlanHashes;
  readonly answer: Answer;
  /** Of the plan as JSON. */
  readonly bytes: number;
}

export interface LiveAttempt {
  readonly secagg: ClientAttempt;
  readonly plan: Plan;
  readonly work: 'training' | 'waiting' | 'masking' | 'uploading';
  /** Progress told last. */
  readonly twentieths: number;
}

/** Means over `count` rows. */
export interface EvaluationResult {
  readonly count: number;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** An evaluation that was asked for; `result` null while it is under way. */
export interface LiveEvaluation {
  readonly run: string;
  readonly round: number;
  readonly model: string;
  readonly result: EvaluationResult | null;
}

export interface SessionState {
  readonly ledger: LedgerView;
  /** What the owner decided about plans. */
  readonly approvals: Approvals;
  /** Keys that the owner has accepted. */
  readonly pinned: ReadonlySet<string>;
  readonly runs: ReadonlyMap<string, KnownRun>;
  /** By run: one at a time in each. */
  readonly attempts: ReadonlyMap<string, LiveAttempt>;
  /** Announcements that were refused since the start, as far as the ledger tells of them. */
  readonly refusals: number;
  /** Room for attempts that come to no vector. */
  readonly idle: Idle;
  /** Attempts that were left before any share of theirs was revealed, by id, newest last: what may be signed of them. */
  readonly renounced: ReadonlyMap<string, Abandonment>;
  /** By run and round (`evaluationKey`); evaluator nodes only. */
  readonly evaluations: ReadonlyMap<string, LiveEvaluation>;
}

export function createSession(
  ledger: LedgerView,
  approvals: Approvals,
  pinned: ReadonlySet<string>,
): SessionState {
  return {
    ...{ ledger, approvals, pinned },
    refusals: 0,
    idle: FRESH,
    ...{ runs: new Map(), attempts: new Map(), renounced: new Map(), evaluations: new Map() },
  };
}

export function evaluationKey(run: string, round: number): string {
  return `${round} ${run}`;
}

/** A copy with one entry set, or taken away where `value` is undefined. */
export function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V | undefined): Map<string, V> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

/** The live attempt with this announcement hash. */
export function attemptOf(state: SessionState, id: string): LiveAttempt | undefined {
  for (const live of state.attempts.values()) if (live.secagg.attempt === id) return live;
  return undefined;
}
