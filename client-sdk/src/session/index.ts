/** The pure session machine of a node. */
export type {
  Effect,
  Place,
  SessionContext,
  SessionEvent,
  SessionInput,
  Step,
} from './io.ts';
export { type AttemptRecord, LedgerRecord, type LedgerView, noted, readLedger } from './ledger.ts';
export type { LedgerStore } from './ledger-store.ts';
export { step } from './machine.ts';
export { type NodeIdentity, splitSeedOf } from './split-seed.ts';
export { createSession, type EvaluationResult, type SessionState } from './state.ts';
