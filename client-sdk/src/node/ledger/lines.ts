/**
 * The ledger's file format: JSON lines `{"seq":1,"record":{...},"check":"..."}`. `seq` counts from 1 without gaps and
 * `check` is the start of SHA-256 over the canonical seq and record, so a line that was lost or damaged is noticed.
 */
import { createHash } from 'node:crypto';
import { Closed, Count, canonicalJson, TributaryError, validate } from '@tributary/protocol';
import { Type } from '@tributary/protocol/typebox';
import { LedgerRecord } from '../../session/ledger.ts';

const Line = Closed({ seq: Count, record: LedgerRecord, check: Type.String({ pattern: '^[0-9a-f]{16}$' }) });

export function writeLine(seq: number, record: LedgerRecord): string {
  return `${canonicalJson({ seq, record, check: checkOf(seq, record) })}\n`;
}

export interface LedgerText {
  readonly records: LedgerRecord[];
  /** Bytes of whole lines; what follows is torn. */
  readonly length: number;
}

/**
 * A last line without its line feed was cut off by a crash before its fsync returned, so nothing was done on its word:
 * it is left out. Anything else that does not fit is damage.
 * @throws storage-failed naming the line.
 */
export function readLines(bytes: Uint8Array, path: string): LedgerText {
  const length = bytes.lastIndexOf(0x0a) + 1;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('utf8');
  const lines = text === '' ? [] : text.slice(0, -1).split('\n');
  const records = lines.map((line, index) => {
    try {
      const { seq, record, check } = validate(Line, JSON.parse(line), 'line');
      if (seq === index + 1 && check === checkOf(seq, record)) return record;
    } catch {
      // Told below, with its place.
    }
    throw new TributaryError('storage-failed', `${path}: line ${index + 1} of ${lines.length} is damaged.`, {
      remedy:
        'Do not delete the ledger: it keeps this node from sending two updates on one model. Restore it from a ' +
        'backup, or enrol the node anew under another name.',
    });
  });
  return { records, length };
}

function checkOf(seq: number, record: LedgerRecord): string {
  return createHash('sha256').update(canonicalJson({ seq, record })).digest('hex').slice(0, 16);
}
