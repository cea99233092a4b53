/** The ledger as an append-only file, fsynced at every record. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { TributaryError, validate } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { LedgerRecord } from '../../session/ledger.ts';
import type { LedgerStore } from '../../session/ledger-store.ts';
import { PRIVATE_FILE, storageProblem, syncFolder } from '../files.ts';
import { readLines, writeLine } from './lines.ts';

/**
 * Opens or creates it; a torn last line is cut off. One process at a time: see `lockFolder`.
 * @throws storage-failed for a damaged line, or when the disk says no.
 */
export async function openFileLedger(path: string): Promise<LedgerStore> {
  let file: FileHandle;
  try {
    file = await open(path, 'a+', PRIVATE_FILE);
  } catch (thrown) {
    throw storageProblem(path, thrown);
  }
  try {
    const text = readLines(await file.readFile(), path);
    const { size } = await file.stat();
    if (size > text.length) await file.truncate(text.length);
    await file.sync();
    await syncFolder(dirname(path));
    return storeOn(file, path, text.records.length);
  } catch (thrown) {
    await file.close();
    throw storageProblem(path, thrown);
  }
}

function storeOn(file: FileHandle, path: string, found: number): LedgerStore {
  let count = found;
  let last: Promise<void> = Promise.resolve();
  let broken: TributaryError | null = null;
  let closed = false;

  return {
    async load() {
      await last.catch(() => {});
      return readLines(await readFile(path), path).records;
    },
    async append(record) {
      // A copy, and one that will be read again: a record that does not fit would make the whole file unreadable.
      const given = validate(LedgerRecord, structuredClone(record), 'ledger record');
      last = last
        .catch(() => {})
        .then(async () => {
          if (closed) throw new TributaryError('storage-failed', 'The ledger is closed.');
          // After a failed write nobody knows where the file ends: the next start cuts the torn line off.
          if (broken) throw broken;
          try {
            crashPoint(`node.${given.type}.appending`);
            await file.appendFile(writeLine(count + 1, given));
            crashPoint(`node.${given.type}.written`);
            await file.sync();
            crashPoint(`node.${given.type}.durable`);
            count++;
          } catch (thrown) {
            broken = storageProblem(path, thrown);
            throw broken;
          }
        });
      await last;
    },
    async close() {
      if (closed) return;
      await last.catch(() => {});
      closed = true;
      await file.close();
    },
  };
}
