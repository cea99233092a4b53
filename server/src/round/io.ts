/** What goes into the round machine and what it asks for. Inputs are journalled as they are. */
import type {
  ClientMessageOf,
  Crypto,
  EngineReport,
  ErrorCode,
  Identity,
  RoundRecord,
  ServerMessage,
} from '@tributary/protocol';
import type { UnmaskingOrder } from '@tributary/protocol/secagg';
import type { Head, RunState } from './state.ts';

type FromMember<T extends 'advert' | 'shares' | 'agree' | 'unmask' | 'leave' | 'abandon'> = {
  readonly type: T;
  readonly member: string;
  readonly message: ClientMessageOf<T>;
};

/** A rotated key was good until then: what it sent still counts. */
export type Revocation = 'suspended' | 'removed' | 'rotated';

export interface Invitee {
  readonly member: string;
  readonly name: string;
}

/** What the aggregation worker found in the unmasked sum. */
export interface SumResult {
  /** SHA-256 of the unmasked words. */
  readonly sum: string;
  readonly model: string;
  readonly weights: string;
  /** Decoded scalar sums, in the order of `scalarNames(plan)`. */
  readonly scalars: readonly number[];
  /** L2 norm of the weighted mean update. */
  readonly norm: number;
}

export type RoundInput =
  | { readonly type: 'consent'; readonly member: string }
  | { readonly type: 'decline'; readonly member: string; readonly code: ErrorCode; readonly reason: string }
  /** `nonce`: 16 random bytes, base64url. */
  | {
      readonly type: 'open';
      readonly nonce: string;
      readonly epoch: number;
      readonly invited: readonly Invitee[];
    }
  | FromMember<'advert'>
  | FromMember<'shares'>
  | FromMember<'agree'>
  | FromMember<'unmask'>
  | FromMember<'leave'>
  /** About an attempt that is void. */
  | FromMember<'abandon'>
  | {
      readonly type: 'update';
      readonly member: string;
      readonly attempt: string;
      readonly sha256: string;
      readonly bytes: number;
    }
  /** The patience of the phase is over, or its grace after a quorum. */
  | { readonly type: 'close'; readonly why: 'grace' | 'patience' | 'maximum' }
  | {
      readonly type: 'summed';
      readonly attempt: string;
      readonly result: SumResult;
      readonly bytesDown: number;
      /** What the survivors said they train with, by key. */
      readonly engines?: Readonly<Record<string, EngineReport>>;
    }
  | {
      readonly type: 'sum-failed';
      readonly attempt: string;
      readonly code: ErrorCode;
      readonly reason: string;
    }
  | { readonly type: 'cancel' | 'pause' | 'resume'; readonly by: string }
  /** The partner may take part no longer, or not under this key. */
  | { readonly type: 'revoked'; readonly member: string; readonly why: Revocation }
  /** The process started again. `damaged` are members whose durable update is missing or altered on disk. */
  | { readonly type: 'restarted'; readonly damaged?: readonly string[] };

export type MemberInput = Extract<
  RoundInput,
  { type: 'advert' | 'shares' | 'agree' | 'unmask' | 'leave' | 'update' }
>;

/** The signed, hash-chained account of a round (PROTOCOL.md 7). */
export interface Transcript {
  readonly version: 1;
  readonly coordinator: string;
  readonly run: string;
  readonly round: number;
  readonly announcement: string;
  readonly roster: string;
  readonly cohort: string;
  readonly survivors: string;
  readonly updates: readonly { readonly member: string; readonly sha256: string }[];
  readonly sum: string;
  readonly model: string;
  readonly weights: string;
  readonly previous: string | null;
}

export type Effect =
  | { readonly type: 'send'; readonly to: readonly string[]; readonly message: ServerMessage }
  /** An update is durable: add it to the attempt's accumulator. */
  | { readonly type: 'fold'; readonly attempt: string; readonly member: string }
  | {
      readonly type: 'sum';
      readonly attempt: string;
      readonly survivors: readonly string[];
      /** |U2|: what the quantisation was divided by. */
      readonly cohortSize: number;
      /** Masks to take away; none in plain mode. */
      readonly order: UnmaskingOrder;
    }
  /** The round is decided: one transaction moves the head, stores record and transcript, truncates the journal. */
  | {
      readonly type: 'publish';
      readonly head: Head;
      readonly record: RoundRecord;
      readonly transcript: { readonly body: Transcript; readonly signature: string };
    }
  /** Nothing refers to this attempt's spool and accumulator any more. */
  | { readonly type: 'discard'; readonly attempt: string }
  /** The run's row (status, reason) changed. */
  | { readonly type: 'run-changed' }
  /** For people who watch. */
  | { readonly type: 'event'; readonly kind: string; readonly data: Readonly<Record<string, unknown>> };

/** The coordinator's identity signs statements inside the machine; Ed25519 is deterministic, so a replay is too. */
export interface RoundContext {
  readonly crypto: Crypto;
  readonly identity: Identity;
}

export interface Step {
  readonly state: RunState;
  readonly effects: readonly Effect[];
}
