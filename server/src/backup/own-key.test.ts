/** Backups of a coordinator whose own key is being replaced, and folders whose key is gone. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signRotation } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createApp } from '../app.ts';
import { examine } from '../doctor/examine.ts';
import { createLog } from '../log.ts';
import { IDENTITY_FILE, openIdentity, openNextIdentity, readIdentity } from '../registry/identity-file.ts';
import { rotateOwnKey } from '../rotate-key.ts';
import { DATABASE_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { checkFolder } from './check.ts';
import { MANIFEST_FILE } from './manifest.ts';
import { restoreBackup, restoreInPlace } from './restore.ts';
import { offerSnapshots } from './snapshot-socket.ts';
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

/** The manifest of `out()` fits what was changed there: as a version wrote it that did not look. */
function forge(changed: string, coordinator?: string): void {
  const path = join(out(), MANIFEST_FILE);
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const bytes = readFileSync(join(out(), changed));
  const entry = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  for (const file of manifest.files) if (file.path === changed) Object.assign(file, entry);
  writeFileSync(path, JSON.stringify({ ...manifest, ...(coordinator && { coordinator }) }));
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
  forge(DATABASE_FILE);
  await expect(restoreBackup(out(), restored())).rejects.toThrow(/which was replaced by/);
  expect(existsSync(restored())).toBe(false);
});

describe('a key that is of another coordinator', () => {
  const foreign = expect.objectContaining({
    code: 'storage-failed',
    message: expect.stringContaining('this database is of the coordinator with key'),
  });
  const finding = async () => (await examine(doctored())).find(({ check }) => check === 'key');
  const doctored = () => ({ folder, host: '127.0.0.1', port: 0 });

  it.each([
    ['without rotations', async () => {}],
    ['that has rotated before', async () => void (await rotateOwnKey(folder))],
  ])(
    'opens nothing of a folder %s: no start, backup, restore or rotation; check and doctor tell',
    async (_, before) => {
      await before();
      await writeBackup(folder, out());
      const key = join(folder, IDENTITY_FILE);
      const own = readFileSync(key);
      expect(await finding()).toMatchObject({ level: 'ok' });
      rmSync(key);
      await openIdentity(folder);
      const other = readFileSync(key);
      await expect(start()).rejects.toThrow(foreign);
      await expect(writeBackup(folder, join(root, 'second'))).rejects.toThrow(foreign);
      await expect(restoreInPlace(folder)).rejects.toThrow(foreign);
      await expect(rotateOwnKey(folder)).rejects.toThrow(foreign);
      const identity = (await checkFolder(folder)).find(({ check }) => check === 'identity');
      for (const told of [identity, await finding()])
        expect(told).toMatchObject({ level: 'failed', remedy: expect.stringContaining('from a backup') });

      // A backup put together from two, with a manifest that says so.
      writeFileSync(join(out(), IDENTITY_FILE), other);
      forge(IDENTITY_FILE, (await readIdentity(key)).id);
      await expect(restoreBackup(out(), restored())).rejects.toThrow(foreign);
      expect(existsSync(restored())).toBe(false);

      writeFileSync(key, own);
      await start();
    },
  );
});

it('a rotation while a backup is made gives no backup of both keys: it is to be made again', async () => {
  const copyTo = async (file: string) => {
    const store = await openSqliteStore(folder);
    await store.copyTo(file);
    await store.close();
    await rotateOwnKey(folder);
  };
  const snapshots = await offerSnapshots({ folder, copyTo, log: createLog('silent') });
  await expect(writeBackup(folder, out())).rejects.toMatchObject({
    ...{ code: 'conflict', remedy: 'Make the backup again.' },
    message: expect.stringContaining('was replaced while'),
  });
  await snapshots.close();
  expect(readdirSync(root)).toEqual(['data']);
  await writeBackup(folder, out());
  await restoreBackup(out(), restored());
  expect(await start(restored())).toBe((await readIdentity(join(folder, IDENTITY_FILE))).id);
});

it('a folder in use whose key is gone is not started under a key that nobody knows', async () => {
  rmSync(join(folder, IDENTITY_FILE));
  await expect(start()).rejects.toThrow(broken);
  expect(readdirSync(folder)).not.toContain(IDENTITY_FILE);
});
