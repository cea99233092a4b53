/** What every LedgerStore must do. `reopen` closes the store and opens it again; null for one that forgets. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttemptRecord } from '../../session/ledger.ts';
import type { LedgerStore } from '../../session/ledger-store.ts';

const hash = (digit: string): string => digit.repeat(64);

/** One of each type that tells of an attempt, number `attempt`. */
export function exampleRecords(attempt = 1): AttemptRecord[] {
  const place = { time: 1_700_000_000_000, run: 'run-1', round: 1, attempt, epoch: 1, id: hash('a') };
  return [
    { type: 'announced', ...place, plan: hash('b'), weights: hash('c') },
    { type: 'vector-sent', ...place, weights: hash('c'), sha256: hash('d') },
    { type: 'refused', ...place, code: 'late', reason: 'größer als "nötig"\n' },
    { type: 'published', ...place, weights: hash('e'), transcript: hash('f') },
  ];
}

export function describeLedgerStore(
  name: string,
  create: () => Promise<LedgerStore>,
  reopen: ((store: LedgerStore) => Promise<LedgerStore>) | null,
): void {
  describe(`LedgerStore: ${name}`, () => {
    let store: LedgerStore;
    beforeEach(async () => {
      store = await create();
    });
    afterEach(() => store.close());

    test('is empty at first', async () => {
      expect(await store.load()).toEqual([]);
    });

    test('keeps every type of record, in order', async () => {
      for (const record of exampleRecords()) await store.append(record);
      expect(await store.load()).toEqual(exampleRecords());
    });

    test('keeps the order of appends that were not awaited', async () => {
      const records = Array.from({ length: 20 }, (_, i) => exampleRecords(i + 1)[0]!);
      await Promise.all(records.map((record) => store.append(record)));
      expect(await store.load()).toEqual(records);
    });

    test('a record that is changed afterwards stays as it was', async () => {
      const record = { ...exampleRecords()[0]! };
      await store.append(record);
      record.round = 7;
      for (const loaded of await store.load()) loaded.time = 9;
      expect(await store.load()).toEqual([exampleRecords()[0]]);
      await store.append({ type: 'started', time: 1 });
      expect((await store.load())[1]).toEqual({ type: 'started', time: 1 });
    });

    test('refuses a record that could not be read again', async () => {
      const [record] = exampleRecords();
      for (const wrong of [
        { ...record!, round: 0 },
        { ...record!, weights: 'abc' },
        { ...record!, more: 1 },
      ])
        await expect(store.append(wrong as AttemptRecord)).rejects.toMatchObject({ code: 'malformed' });
      await store.append(record!);
      expect(await store.load()).toEqual([record]);
    });

    test('refuses to append once it is closed, twice is fine', async () => {
      await store.close();
      await store.close();
      await expect(store.append(exampleRecords()[0]!)).rejects.toMatchObject({ code: 'storage-failed' });
    });

    test.skipIf(reopen === null)('is there again after it was opened anew, and goes on', async () => {
      const [first, second, ...rest] = exampleRecords();
      await store.append(first!);
      await store.append(second!);
      store = await reopen!(store);
      expect(await store.load()).toEqual([first, second]);
      for (const record of rest) await store.append(record);
      store = await reopen!(store);
      expect(await store.load()).toEqual(exampleRecords());
    });
  });
}
