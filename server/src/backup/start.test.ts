/** What a start makes of a data folder that a crash, a disk or a person left in disorder. */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunDetail } from '@tributary/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type App, createApp } from '../app.ts';
import { createLog } from '../log.ts';
import { hash } from '../storage/fixtures.ts';
import { openDatabase } from '../storage/sqlite/open.ts';
import { writeDataFolder } from './fixture.ts';
import { writeBackup } from './write.ts';

const home = mkdtempSync(join(tmpdir(), 'tributary-start-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const sound = join(home, 'sound');
beforeAll(() => writeDataFolder(sound));

let copies = 0;
function copy(): string {
  const folder = join(home, `copy-${++copies}`);
  cpSync(sound, folder, { recursive: true });
  return folder;
}

async function withApp(folder: string, look: (app: App, show: () => Promise<RunDetail>) => unknown) {
  const app = await createApp({ folder, log: createLog('silent'), renewAdminToken: true });
  const headers = { authorization: `Bearer ${app.adminToken}` };
  try {
    await look(app, async () =>
      (await app.http.inject({ method: 'GET', url: '/v1/runs/run-1', headers })).json<RunDetail>(),
    );
  } finally {
    await app.close();
  }
}

it('says that the open attempt goes on; strays of a crash are gone, what may be named is kept', async () => {
  const folder = copy();
  const [old, young] = [hash('old'), hash('young')].map((name) => join(folder, 'blobs', name)) as [
    string,
    string,
  ];
  for (const path of [old, young]) writeFileSync(path, '');
  utimesSync(old, new Date(0), new Date(0));
  writeFileSync(join(folder, 'blobs', `${hash('half')}.0123456789ab.part`), '');
  writeFileSync(join(folder, 'snapshot-0123456789ab.db'), '');
  mkdirSync(join(folder, 'spool', hash('an attempt that is over')), { recursive: true });
  writeFileSync(join(folder, 'spool', hash('an attempt that is over'), 'A'.repeat(43)), '');
  await withApp(folder, (app) => {
    expect(app.startUp).toEqual([
      'Run run-1: attempt 1 of round 3 goes on in phase upload, with 1 update on disk.',
      'Deleted the updates of 1 former attempt.',
      'Deleted 1 model that nothing names.',
    ]);
  });
  expect(existsSync(old)).toBe(false);
  expect(existsSync(young)).toBe(true);
  expect(existsSync(join(folder, 'snapshot-0123456789ab.db'))).toBe(false);
});

it('pauses a run whose model is missing instead of losing attempt after attempt, and says how to mend it', async () => {
  const folder = copy();
  rmSync(join(folder, 'blobs', hash('model 2')));
  await withApp(folder, async (app, show) => {
    expect(app.startUp.at(-1)).toMatch(
      /^Run run-1 is paused: its model .* is missing or damaged.* from a backup.*runs resume run-1/,
    );
    expect(await show()).toMatchObject({ status: 'paused', round: 2 });
  });
});

it('goes on without the open attempt where the journal is damaged, and tells why in the run', async () => {
  const folder = copy();
  const database = await openDatabase(folder);
  database.exec("UPDATE journal SET state_hash = 'x' WHERE seq = (SELECT max(seq) - 2 FROM journal)");
  database.close();
  await withApp(folder, async (app, show) => {
    expect(app.startUp).toEqual([
      expect.stringMatching(
        /attempt 1 of round 3 is void, the next one opens by itself. The journal is damaged at entry \d+/,
      ),
      'Deleted the updates of 1 former attempt.',
    ]);
    expect(await show()).toMatchObject({
      status: 'running',
      voided: [{ round: 3, attempt: 1, code: 'storage-failed', reason: expect.stringContaining('damaged') }],
    });
  });
  // Said once.
  await withApp(folder, (app) => expect(app.startUp).toEqual([]));
});

it('gives a backup away while it runs, also where its path is too long for a socket', async () => {
  for (const name of ['short', 'long'.repeat(40)]) {
    const folder = join(home, name);
    cpSync(sound, folder, { recursive: true });
    await withApp(folder, async (app) => {
      expect(await writeBackup(folder, join(home, `backup-${name}`))).toMatchObject({
        live: true,
        models: 3,
      });
      await app.close();
      // Closed once more, it leaves alone whoever has its descriptor now.
      const file = openSync(folder, 'r');
      await app.close();
      closeSync(file);
    });
  }
});
