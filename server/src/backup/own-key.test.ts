/** Backups of a coordinator whose own key is being replaced, and folders whose key is gone. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signRotation } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../app.ts';
import { createLog } from '../log.ts';
import { IDENTITY_FILE, openNextIdentity, readIdentity } from '../registry/identity-file.ts';
import { rotateOwnKey } from '../rotate-key.ts';
import { DATABASE_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { checkFolder } from './check.ts';
import { MANIFEST_FILE } from './manifest.ts';
import { restoreBackup } from './restore.ts';
import { writeBackup } from './write.ts';

let root: string;
let folder: string;
const out = () => join(root, 'backup');
const restored = () => join(root, 'restored');
const start = async (data = folder): Promise<string> => {
  const app = await createApp({ folder: data, log: createLog('silent') });
  await app.close();
  return app.identity.id;
};
const broken = expect.objectContaining({ code: 'storage-failed' });

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'tributary-own-key-'));
  folder = join(root, 'data');
  await start();
});
afterEach(() => rmSync(root, { recursive: true }));

/** What `rotate-key` leaves when it dies at the crash point coordinator.rotate.own. */
async function cutRotation(): Promise<void> {
  const store = await openSqliteStore(folder);
  const before = await readIdentity(join(folder, IDENTITY_FILE));
  const after = await openNextIdentity(folder);
  const terms = { subject: 'coordinator', coordinator: before.id, time: Date.now() } as const;
  await store.addOwnRotation(signRotation(nodeCrypto, before, after, terms));
  await store.close();
}

describe('a rotation that was cut between database and file', () => {
  it('is no state for a backup, which would have half of it; check says so', async () => {
    await cutRotation();
    await expect(writeBackup(folder, out())).rejects.toThrow(broken);
    expect(readdirSync(root)).toEqual(['data']);
    const identity = (await checkFolder(folder)).find(({ check }) => check === 'identity');
    expect(identity).toMatchObject({ level: 'failed', remedy: expect.stringContaining('rotate-key') });
  });

  it('is finished by rotate-key, and the backup of after it starts under the new key', async () => {
    await cutRotation();
    const { key } = await rotateOwnKey(folder);
    await writeBackup(folder, out());
    expect((await checkFolder(out())).every(({ level }) => level === 'ok')).toBe(true);
    await restoreBackup(out(), restored());
    expect(await start(restored())).toBe(key);
  });
});

it('an older backup whose database names a newer key is not restored', async () => {
  await writeBackup(folder, out());
  const store = await openSqliteStore(out());
  const before = await readIdentity(join(out(), IDENTITY_FILE));
  const after = await openNextIdentity(root);
  const terms = { subject: 'coordinator', coordinator: before.id, time: Date.now() } as const;
  await store.addOwnRotation(signRotation(nodeCrypto, before, after, terms));
  await store.close();
  // As a version wrote it that did not look.
  const path = join(out(), MANIFEST_FILE);
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const database = readFileSync(join(out(), DATABASE_FILE));
  const entry = { bytes: database.length, sha256: createHash('sha256').update(database).digest('hex') };
  for (const file of manifest.files) if (file.path === DATABASE_FILE) Object.assign(file, entry);
  writeFileSync(path, JSON.stringify(manifest));
  await expect(restoreBackup(out(), restored())).rejects.toThrow(/which was replaced by/);
  expect(existsSync(restored())).toBe(false);
});

it('a folder in use whose key is gone is not started under a key that nobody knows', async () => {
  rmSync(join(folder, IDENTITY_FILE));
  await expect(start()).rejects.toThrow(broken);
  expect(readdirSync(folder)).not.toContain(IDENTITY_FILE);
});
