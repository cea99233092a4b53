/** What the check says of a data folder with two published rounds and an open attempt, sound and damaged. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '@tributary/protocol';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recoverRuns } from '../coordinator/recover.ts';
import { createStartUp } from '../coordinator/start-up.ts';
import { context } from '../round/fixtures.ts';
import { hash } from '../storage/fixtures.ts';
import { IDENTITY_FILE, openDatabase } from '../storage/sqlite/open.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { checkFolder } from './check.ts';
import { writeDataFolder } from './fixture.ts';
import { restoreBackup, restoreInPlace } from './restore.ts';
import { writeBackup } from './write.ts';

const home = mkdtempSync(join(tmpdir(), 'tributary-check-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const sound = join(home, 'sound');

beforeAll(() => writeDataFolder(sound));

let copies = 0;
function copy(): string {
  const folder = join(home, `copy-${++copies}`);
  cpSync(sound, folder, { recursive: true });
  return folder;
}

async function sql(folder: string, statement: string): Promise<void> {
  const database = await openDatabase(folder);
  database.exec(statement);
  database.close();
}

const wrong = (findings: readonly Finding[]) => findings.filter(({ level }) => level !== 'ok');

it('finds a sound folder well, and changes nothing in it', async () => {
  const before = readFileSync(join(sound, 'tributary.db'));
  const findings = await checkFolder(sound);
  expect(wrong(findings)).toEqual([]);
  expect(findings.map(({ message }) => message)).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^([0-9a-f]{4}-){7}[0-9a-f]{4}$/),
      '2, chained and signed',
      expect.stringMatching(/^\d+ entries of 1 open runs/),
    ]),
  );
  expect(readFileSync(join(sound, 'tributary.db')).equals(before)).toBe(true);
});

const head = hash('model 2');
it.each<[string, (folder: string) => unknown, string, RegExp, RegExp]>([
  [
    'a bit flipped in the model that a run goes on from',
    (folder) => writeFileSync(join(folder, 'blobs', head), 'model 3'),
    'models',
    /is damaged: run run-1 goes on from it/,
    /Copy the file .* backup .*runs cancel run-1.* --weights/,
  ],
  [
    'a missing model of an earlier round',
    (folder) => rmSync(join(folder, 'blobs', hash('model 1'))),
    'models',
    /is missing .* history of a run/,
    /Copy the file/,
  ],
  [
    'a journal entry that was changed',
    (folder) =>
      sql(
        folder,
        `UPDATE journal SET input = replace(input, 'advert', 'Advert') WHERE seq = (SELECT max(seq) - 4 FROM journal)`,
      ),
    'journal',
    /does not replay at entry \d+ of \d+/,
    /void at the next start/,
  ],
  [
    'a journal entry that vanished',
    (folder) => sql(folder, 'DELETE FROM journal WHERE seq = (SELECT min(seq) + 1 FROM journal)'),
    'journal',
    /entry \d+ is missing/,
    /void at the next start/,
  ],
  [
    'a transcript that was changed',
    (folder) =>
      sql(folder, `UPDATE rounds SET transcript = json_set(transcript, '$.body.sum', 'x') WHERE round = 1`),
    'transcripts',
    /Round 1 .* does not have the recorded hash/,
    /restore --from/,
  ],
  [
    'a round that vanished',
    (folder) => sql(folder, 'DELETE FROM rounds WHERE round = 1'),
    'rows',
    /2 rounds are published, 1 are recorded/,
    /restore --from/,
  ],
  [
    'a database of a newer program',
    (folder) => sql(folder, 'PRAGMA user_version = 99'),
    'database',
    /schema 99/,
    /newer program/,
  ],
  [
    'a database that is cut off',
    (folder) =>
      writeFileSync(
        join(folder, 'tributary.db'),
        readFileSync(join(sound, 'tributary.db')).subarray(0, 9000),
      ),
    'database',
    /damaged/,
    /restore --from/,
  ],
  [
    'the key of another coordinator',
    (folder) => writeFileSync(join(folder, IDENTITY_FILE), `${'A'.repeat(43)}\n`, { mode: 0o600 }),
    'transcripts',
    /not signed by the key of this coordinator/,
    /restore/,
  ],
  [
    'an update of an open attempt that is gone',
    (folder) => rmSync(join(folder, 'spool'), { recursive: true }),
    'updates',
    /open attempt of run run-1 is missing or damaged/,
    /at the next start/,
  ],
  [
    'what a killed backup left beside it, which may hold the key',
    (folder) => mkdirSync(`${folder}.0123456789ab.part`),
    'leftovers',
    /copy-\d+\.0123456789ab\.part/,
    /delete them/,
  ],
  [
    'files that nothing names',
    (folder) => writeFileSync(join(folder, 'blobs', hash('stray')), 'stray'),
    'strays',
    /1 files that nothing names/,
    /deletes them/,
  ],
  [
    'files of somebody else',
    (folder) => writeFileSync(join(folder, 'spool', '.DS_Store'), 'x'),
    'strays',
    /1 files that nothing names, such as spool\/\.DS_Store/,
    /leaves them alone/,
  ],
])('names %s', async (_, damage, check, message, remedy) => {
  const folder = copy();
  await damage(folder);
  expect(wrong(await checkFolder(folder))).toContainEqual(
    expect.objectContaining({
      check,
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    }),
  );
});

it('refuses a folder without data instead of making any', async () => {
  await expect(checkFolder(join(home, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' });
  await expect(writeBackup(join(home, 'nowhere'), join(home, 'b'))).rejects.toMatchObject({
    code: 'not-found',
  });
  await expect(restoreInPlace(join(home, 'nowhere'))).rejects.toMatchObject({ code: 'storage-failed' });
});

it('a backup with a damaged model is not made, and leaves nothing behind', async () => {
  const folder = copy();
  writeFileSync(join(folder, 'blobs', head), 'model 3');
  await expect(writeBackup(folder, join(home, 'out', 'never'))).rejects.toMatchObject({
    code: 'storage-failed',
    message: expect.stringContaining(`blobs/${head}`),
  });
  expect(() => readFileSync(join(home, 'out', 'never'))).toThrow('ENOENT');
});

it('a backup does not go into the data folder that it is of', async () => {
  await expect(writeBackup(sound, join(sound, 'backups', 'monday'))).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('lies in the data folder'),
  });
});

it('a restored backup goes on in a higher epoch each time, and its open attempt is void with its reason', async () => {
  const out = join(home, 'backup');
  expect(await writeBackup(sound, out)).toMatchObject({ live: false, models: 3, epoch: 1 });
  const [first, second] = [join(home, 'first'), join(home, 'second')];
  const left = `${first}.0123456789ab.part`;
  mkdirSync(left);
  const at = Date.parse('2026-11-23');
  expect(await restoreBackup(out, first, { now: () => at })).toMatchObject({
    epoch: { before: 1, now: at / 1000 },
    leftovers: [left],
  });
  rmSync(left, { recursive: true });
  // Before its first start, too, although the updates of the attempt that is open in it are in no backup.
  expect(wrong(await checkFolder(first))).toEqual([]);
  // A clock that stands still, or went back, does not matter in place: the epoch only rises.
  expect((await restoreInPlace(first, () => 0)).epoch.now).toBe(at / 1000 + 1);
  expect((await restoreBackup(out, second, { now: () => at + 5000 })).epoch.now).toBe(at / 1000 + 5);
  const store = await openSqliteStore(second);
  const startUp = createStartUp();
  const log = pino({ level: 'silent' });
  const [run] = await recoverRuns({ ...context, store, log, note: startUp.note });
  expect(run?.state).toMatchObject({ head: { round: 2 }, attempts: 1, stage: { kind: 'gathering' } });
  expect(startUp.lines()).toEqual([
    'Run run-1: attempt 1 of round 3 is void, the next one opens by itself. A backup was restored.',
  ]);
  expect(await store.voids('run-1')).toMatchObject([{ round: 3, attempt: 1, code: 'storage-failed' }]);
  await store.close();
});
