/** The nodes' ledgers against what they did: nothing left that was not written down, and no two vectors that tell more. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerRecord } from '@tributary/client-sdk';
import type { Records } from './records.ts';

/**
 * @param folders by node
 * @param published hashes of the announcements of attempts that were published
 */
export function checkLedgers(
  folders: ReadonlyMap<string, string>,
  records: Records,
  published: ReadonlySet<string>,
  violation: (text: string) => void,
): void {
  for (const [node, folder] of folders) {
    const ledger = readLedger(join(folder, 'state', 'ledger'));
    /** Base weights to the attempt in which the last vector on them was sent. */
    const sent = new Map<string, string>();
    const certified = new Set<string>();
    const attempts = new Set<string>();
    for (const record of ledger) {
      if (record.type === 'certified') certified.add(record.id);
      if (record.type !== 'vector-sent') continue;
      const before = sent.get(record.weights);
      if (before !== undefined && !certified.has(before))
        violation(`${node} sent vectors in ${before} and ${record.id}, on the same weights`);
      sent.set(record.weights, record.id);
      attempts.add(record.id);
    }
    for (const id of certified)
      if (published.has(id)) violation(`${node} holds attempt ${id} for abandoned, and it was published`);
    for (const { id, sent } of records.attempts.values())
      if (sent.has(node) && !attempts.has(id))
        violation(`${node} sent a vector in ${id} behind its ledger's back`);
  }
}

function readLedger(path: string): LedgerRecord[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => (JSON.parse(line) as { record: LedgerRecord }).record);
}
