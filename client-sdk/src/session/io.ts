/** What goes into the session machine and what it asks for. */
import type {
  Announcement,
  ClientMessage,
  Crypto,
  EngineReport,
  ErrorCode,
  Member,
  Plan,
  Random,
  ServerMessage,
  TributaryError,
} from '@tributary/protocol';
import type { MaskTerm } from '@tributary/protocol/secagg';
import type { Approvals, Policy, Verdict } from '../policy/index.ts';
import type { AttemptRecord } from './ledger.ts';
import type { NodeIdentity } from './split-seed.ts';
import type { EvaluationResult, SessionState } from './state.ts';

/** `attempt` is always the hash of the announcement. */
export type SessionInput =
  /** Opened and validated. */
  | { readonly type: 'message'; readonly message: ServerMessage }
  /** A session begins, with a coordinator that is in this epoch. */
  | { readonly type: 'greeted'; readonly epoch: number }
  /** `final`: no further try follows. */
  | { readonly type: 'disconnected'; readonly error: TributaryError; readonly final: boolean }
  | { readonly type: 'approvals'; readonly approvals: Approvals }
  | { readonly type: 'pinned'; readonly pinned: ReadonlySet<string> }
  /** `done` from 0 to 1. */
  | { readonly type: 'progress'; readonly attempt: string; readonly done: number }
  | { readonly type: 'trained'; readonly attempt: string }
  /** The masked vector is fixed in memory; nothing of it has left. */
  | { readonly type: 'masked'; readonly attempt: string; readonly sha256: string }
  | { readonly type: 'uploaded'; readonly attempt: string }
  /** Download, training, masking, upload or ledger: local, so its text stays here. */
  | { readonly type: 'failed'; readonly attempt: string; readonly error: TributaryError }
  | {
      readonly type: 'evaluated';
      readonly run: string;
      readonly round: number;
      readonly model: string;
      readonly result: EvaluationResult;
    }
  | {
      readonly type: 'evaluation-failed';
      readonly run: string;
      readonly round: number;
      readonly model: string;
      readonly error: TributaryError;
    }
  /** The owner stops this node. */
  | { readonly type: 'stop' };

/** Carried out in order; each before the next begins, where it says so. */
export type Effect =
  /** Dropped while there is no connection: the coordinator asks again. */
  | { readonly type: 'send'; readonly message: ClientMessage }
  /** Durable before the next effect; if that fails, the rest is dropped and `failed` comes back. */
  /** `of`: the attempt that fails with it, where that is not the record's own. */
  | { readonly type: 'append'; readonly record: AttemptRecord; readonly of?: string }
  /** Download the model and train. Answers: progress, trained, failed. Seeds are 32 bytes. */
  | {
      readonly type: 'train';
      readonly attempt: string;
      readonly announcement: Announcement;
      readonly plan: Plan;
      readonly seed: Uint8Array;
      readonly splitSeed: Uint8Array;
    }
  /** Quantise and mask what was trained; take the terms at once, they are wiped later. Answers: masked, failed. */
  | {
      readonly type: 'mask';
      readonly attempt: string;
      readonly announcement: Announcement;
      readonly plan: Plan;
      readonly terms: readonly MaskTerm[];
      /** |U2|. */
      readonly members: number;
    }
  /** Send exactly the bytes that were masked, as often as it takes. Answers: uploaded, failed. */
  | { readonly type: 'upload'; readonly attempt: string }
  /** Stop whatever is under way for this attempt and drop what is kept. */
  | { readonly type: 'forget'; readonly attempt: string }
  | {
      readonly type: 'evaluate';
      readonly run: string;
      readonly round: number;
      readonly model: string;
      readonly plan: Plan;
    }
  | { readonly type: 'emit'; readonly event: SessionEvent };

/** Where in a run something happened. */
export interface Place {
  readonly run: string;
  readonly round: number;
  /** Counts from 1 in each round. */
  readonly attempt: number;
  /** Hash of the announcement. */
  readonly id: string;
}

/** For the node's owner and the program around the client; what is in them stays on this machine. */
export type SessionEvent =
  /** `strangers` are enrolled partners whose keys the owner has not accepted. */
  | {
      readonly type: 'connected';
      readonly name: string;
      readonly role: Member['role'];
      readonly members: readonly Member[];
      readonly strangers: readonly Member[];
    }
  /** A member has changed its key; who is enrolled now. */
  | { readonly type: 'members'; readonly members: readonly Member[] }
  /** `final`: this client does not come back by itself. */
  | {
      readonly type: 'disconnected';
      readonly code: ErrorCode;
      readonly message: string;
      readonly remedy: string;
      readonly final: boolean;
    }
  /** A plan was proposed; `verdict` is what this node's policy says of it. */
  | {
      readonly type: 'proposal';
      readonly run: string;
      readonly plan: Plan;
      readonly planHash: string;
      readonly topologyHash: string;
      readonly verdict: Verdict;
    }
  | { readonly type: 'consent'; readonly run: string; readonly planHash: string }
  /** This node said no, or could not go on. `place` is null for a proposal. */
  | {
      readonly type: 'refused';
      readonly run: string;
      readonly place: Place | null;
      readonly code: ErrorCode;
      readonly message: string;
    }
  | ({ readonly type: 'announced'; readonly plan: Plan } & Place)
  /** `done` from 0 to 1, finer than what the coordinator is told. */
  | ({ readonly type: 'progress'; readonly done: number } & Place)
  /** U1, U2, U3: identity keys. */
  | ({ readonly type: 'roster'; readonly members: readonly string[]; readonly threshold: number } & Place)
  | ({ readonly type: 'cohort'; readonly members: readonly string[] } & Place)
  /** The ledger is written, no byte has left. */
  | ({ readonly type: 'uploading'; readonly sha256: string; readonly bytes: number } & Place)
  /** The coordinator has it durably. */
  | ({ readonly type: 'uploaded'; readonly sha256: string; readonly bytes: number } & Place)
  | ({ readonly type: 'survivors'; readonly members: readonly string[] } & Place)
  /** Shares were revealed: this node's part is done. */
  | ({ readonly type: 'unmasked' } & Place)
  | {
      readonly type: 'published';
      readonly run: string;
      readonly round: number;
      readonly id: string;
      readonly model: string;
      readonly weights: string;
      readonly transcript: string;
    }
  | ({ readonly type: 'abandoned'; readonly code: ErrorCode; readonly reason: string } & Place)
  | ({
      readonly type: 'evaluated';
      readonly run: string;
      readonly round: number;
      readonly model: string;
    } & EvaluationResult)
  | {
      readonly type: 'run-ended';
      readonly run: string;
      readonly status: 'done' | 'failed' | 'cancelled';
      readonly reason: string;
    }
  /** Something was odd and was ignored or is being tried again. */
  | { readonly type: 'warning'; readonly code: ErrorCode; readonly message: string };

export interface SessionContext {
  readonly crypto: Crypto;
  readonly random: Random;
  readonly identity: NodeIdentity;
  /** Pinned key of the coordinator. */
  readonly coordinator: string;
  /** Keys that it replaced: what is left of attempts opened under them names them. */
  readonly former?: readonly string[];
  readonly policy: Policy;
  /** What this node trains with, as it is reported. */
  readonly engine: EngineReport;
  /** 16 random bytes that name this process, base64url. */
  readonly instance: string;
}

export interface Step {
  readonly state: SessionState;
  readonly effects: readonly Effect[];
}

export const emit = (event: SessionEvent): Effect => ({ type: 'emit', event });
export const send = (message: ClientMessage): Effect => ({ type: 'send', message });
export const warn = (code: ErrorCode, message: string): Effect => emit({ type: 'warning', code, message });

export function placeOf({ run, round, attempt }: Announcement, id: string): Place {
  return { run, round, attempt, id };
}
