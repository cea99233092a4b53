/** A start, and a backup, while another command holds the database for a moment. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TributaryError } from '@tributary/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApp } from '../app.ts';
import { createLog } from '../log.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { writeDataFolder } from './fixture.ts';
import { onceFree } from './once-free.ts';
import { isServed } from './snapshot-socket.ts';
import { writeBackup } from './write.ts';

const home = mkdtempSync(join(tmpdir(), 'tributary-free-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const sound = join(home, 'sound');
beforeAll(() => writeDataFolder(sound));

function copy(name: string): string {
  const folder = join(home, name);
  cpSync(sound, folder, { recursive: true });
  return folder;
}

const start = (folder: string) => createApp({ folder, log: createLog('silent') });
const held = new TributaryError('already-running', 'Another process holds it.');

it.each<[string, (folder: string) => Promise<unknown>]>([
  ['coordinator that starts', async (folder) => (await start(folder)).close()],
  ['backup', (folder) => writeBackup(folder, `${folder}-copy`)],
])('a %s waits for a command that looks at the folder', async (name, act) => {
  const folder = copy(name);
  const holder = await openSqliteStore(folder, { asIs: true });
  let done = false;
  const acting = act(folder).then(() => {
    done = true;
  });
  await sleep(200);
  expect(done).toBe(false);
  await holder.close();
  await acting;
});

it('a second coordinator is refused at once, and the first one gives no copy away for it', async () => {
  const folder = copy('served');
  const app = await start(folder);
  expect(await isServed(folder)).toBe(true);
  let tries = 0;
  const open = async () => {
    tries++;
    throw held;
  };
  await expect(onceFree(open, { hopeless: () => isServed(folder) })).rejects.toBe(held);
  expect(tries).toBe(1);
  await app.close();
  expect(await isServed(folder)).toBe(false);
});

it('gives up in the end, and at once on anything else', async () => {
  let tries = 0;
  const open = (error: Error) => async () => {
    tries++;
    throw error;
  };
  await expect(onceFree(open(held), { patience: 120 })).rejects.toBe(held);
  expect(tries).toBeGreaterThan(1);
  tries = 0;
  await expect(onceFree(open(new Error('disk')))).rejects.toThrow('disk');
  expect(tries).toBe(1);
});
