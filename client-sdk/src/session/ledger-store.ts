import type { LedgerRecord } from './ledger.ts';

/** Where the ledger lies. Adapters: file, memory (own loops, tests); all pass `node/ledger/acceptance.ts`. */
export interface LedgerStore {
  /** All records, oldest first. */
  load(): Promise<readonly LedgerRecord[]>;
  /** Durable when it resolves; appends keep their order. @throws storage-failed, and from then on for every append. */
  append(record: LedgerRecord): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}
