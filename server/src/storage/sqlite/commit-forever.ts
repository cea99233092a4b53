/** The victim of the kill test: commits until it is killed, and prints the number of each acknowledged commit. */
import { writeSync } from 'node:fs';
import { entry, hash, runRow, updateRow } from '../fixtures.ts';
import type { SqliteDriver } from './drivers.ts';
import { openSqliteStore } from './store.ts';

const [folder, driver] = process.argv.slice(2) as [string, SqliteDriver];
const store = await openSqliteStore(folder, { driver });
if (!(await store.run('r1'))) await store.commit({ epoch: 1, runs: [runRow('r1')] });
let seq = ((await store.journal('r1')).at(-1)?.seq ?? 0) + 1;
for (; ; seq++) {
  await store.commit({
    epoch: 1,
    journal: [entry('r1', seq)],
    updates: [updateRow('r1', `m${seq}`, { attempt: hash('attempt') })],
    runs: [runRow('r1', { round: seq })],
  });
  writeSync(1, `${seq}\n`);
}
