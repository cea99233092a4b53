import { TributaryError, validate } from '@tributary/protocol';
import { LedgerRecord } from '../../session/ledger.ts';
import type { LedgerStore } from '../../session/ledger-store.ts';

/**
 * Forgets with the process: for tests, and for loops that throw their keys away as well. With a lasting identity it
 * would let a restarted node send a second vector on one base model.
 */
export function createMemoryLedger(): LedgerStore {
  const records: LedgerRecord[] = [];
  let closed = false;
  return {
    async load() {
      return structuredClone(records);
    },
    async append(record) {
      if (closed) throw new TributaryError('storage-failed', 'The ledger is closed.');
      records.push(validate(LedgerRecord, structuredClone(record), 'ledger record'));
    },
    async close() {
      closed = true;
    },
  };
}
