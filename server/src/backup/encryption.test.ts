/** Backups, restores and checks of data folders whose models and updates are encrypted. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '@tributary/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKeyFile, readKeyFile } from '../at-rest/key.ts';
import { encryptionOf, MARKER_FILE, settleEncryption } from '../at-rest/marker.ts';
import { openBlobFolder } from '../storage/blobs.ts';
import { hash } from '../storage/fixtures.ts';
import { checkFolder } from './check.ts';
import { writeDataFolder } from './fixture.ts';
import { restoreBackup } from './restore.ts';
import { writeBackup } from './write.ts';

const home = mkdtempSync(join(tmpdir(), 'tributary-encryption-'));
const at = (name: string) => join(home, name);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const [keyFile, newer] = [at('blobs.key'), at('newer.key')];
const MODELS = ['model 0', 'model 1', 'model 2'];
beforeAll(async () => {
  await makeKeyFile(keyFile);
  await makeKeyFile(newer);
  await writeDataFolder(at('plain'));
  await writeBackup(at('plain'), at('plain-backup'));
  await restoreBackup(at('plain-backup'), at('data'), { encryptBlobs: keyFile });
  await writeBackup(at('data'), at('backup'), keyFile);
});

let made = 0;
const fresh = () => at(`fresh-${++made}`);
const failures = (findings: readonly Finding[]) => findings.filter(({ level }) => level === 'failed');
const said = (findings: readonly Finding[], check: string) =>
  findings.find((finding) => finding.check === check)?.message;

/** Every model comes back, and whether its bytes can be seen on disk. */
async function requireModels(folder: string, key: string | undefined): Promise<void> {
  const blobs = await openBlobFolder(join(folder, 'blobs'), await settleEncryption(folder, key));
  for (const text of MODELS) {
    expect(String(await blobs.read(hash(text)))).toBe(text);
    expect(readFileSync(blobs.path(hash(text))).includes(text)).toBe(key === undefined);
  }
}

describe('restore', () => {
  it('encrypts the models of a plain backup', async () => {
    await requireModels(at('data'), keyFile);
    expect(statSync(join(at('data'), MARKER_FILE)).mode & 0o777).toBe(0o600);
  });

  it('keeps the encryption of an encrypted one, with its key or without', async () => {
    for (const encryptBlobs of [undefined, keyFile]) {
      const folder = fresh();
      const { encrypted } = await restoreBackup(at('backup'), folder, { encryptBlobs });
      expect(encrypted).toBe((await readKeyFile(keyFile)).id);
      await requireModels(folder, keyFile);
    }
  });

  it('takes the encryption away, or exchanges the key', async () => {
    const [plain, other] = [fresh(), fresh()];
    await restoreBackup(at('backup'), plain, { decryptBlobs: keyFile });
    await requireModels(plain, undefined);
    expect(readdirSync(plain)).not.toContain(MARKER_FILE);
    await restoreBackup(at('backup'), other, { decryptBlobs: keyFile, encryptBlobs: newer });
    await requireModels(other, newer);
  });

  it.each<[string, string, object, string, RegExp]>([
    ['another key', 'backup', { encryptBlobs: newer }, 'storage-failed', /--decrypt-blobs OLD/],
    ['the wrong old key', 'backup', { decryptBlobs: newer }, 'storage-failed', /--decrypt-blobs KEYFILE/],
    ['a key to decrypt what is plain', 'plain-backup', { decryptBlobs: keyFile }, 'malformed', /Leave/],
    ['no such key file', 'plain-backup', { encryptBlobs: at('none') }, 'storage-failed', /new-key/],
  ])('is refused with %s, and leaves nothing', async (_, from, options, code, remedy) => {
    const folder = fresh();
    await expect(restoreBackup(at(from), folder, options)).rejects.toMatchObject({
      code,
      remedy: expect.stringMatching(remedy),
    });
    expect(readdirSync(home).filter((name) => name.startsWith(folder.slice(home.length + 1)))).toEqual([]);
  });

  it.each([{ encryptBlobs: keyFile }, { decryptBlobs: keyFile }])(
    'with %o finds a model that does not decrypt, whatever the manifest says',
    async (options) => {
      const from = fresh();
      cpSync(at('backup'), from, { recursive: true });
      const [one, other] = ['model 0', 'model 1'].map((text) => join(from, 'blobs', hash(text)));
      cpSync(one!, other!);
      await expect(restoreBackup(from, fresh(), options)).rejects.toMatchObject({ code: 'storage-failed' });
    },
  );
});

describe('backup', () => {
  it('carries encrypted models as they are, and not their key', async () => {
    const secret = readFileSync(keyFile, 'utf8').trim().split(':')[1]!;
    for (const name of readdirSync(at('backup'), { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      const path = join(name.parentPath, name.name);
      const bytes = readFileSync(path);
      expect(bytes.includes(secret) || bytes.includes(Buffer.from(secret, 'base64url'))).toBe(false);
      if (name.parentPath.endsWith('blobs'))
        expect(bytes.equals(readFileSync(join(at('data'), 'blobs', name.name)))).toBe(true);
    }
  });

  it('says whether the models were checked; a damaged one is refused when they were', async () => {
    expect(await writeBackup(at('data'), fresh())).toMatchObject({ modelsChecked: false, models: 3 });
    expect(await writeBackup(at('data'), fresh(), keyFile)).toMatchObject({ modelsChecked: true });
    expect(await writeBackup(at('plain'), fresh(), keyFile)).toMatchObject({
      modelsChecked: true,
      encrypted: null,
    });
    const damaged = fresh();
    cpSync(at('data'), damaged, { recursive: true });
    const path = join(damaged, 'blobs', hash('model 1'));
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0, 60, 61));
    await expect(writeBackup(damaged, fresh(), keyFile)).rejects.toMatchObject({ code: 'storage-failed' });
    await expect(writeBackup(damaged, fresh(), newer)).rejects.toMatchObject({
      message: expect.stringContaining('is encrypted under'),
    });
    writeFileSync(path, 'model 1');
    await expect(writeBackup(damaged, fresh())).rejects.toMatchObject({ code: 'storage-failed' });
  });
});

describe('check', () => {
  it('looks into encrypted models with their key', async () => {
    for (const folder of [at('data'), at('backup')]) {
      const findings = await checkFolder(folder, keyFile);
      expect(failures(findings)).toEqual([]);
      expect(said(findings, 'models')).toBe('3 named by runs, all there and sound');
    }
  });

  it('says what it could not check without', async () => {
    const findings = await checkFolder(at('backup'));
    expect(failures(findings)).toEqual([]);
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'encryption',
        level: 'warning',
        message: expect.stringContaining('was not checked'),
        remedy: expect.stringContaining('--encrypt-blobs KEYFILE'),
      }),
    );
    expect(said(findings, 'models')).toContain('not looked into without their key');
    expect((await encryptionOf(at('backup'), undefined)).marked).toBe((await readKeyFile(keyFile)).id);
  });

  it('finds a damaged one, a plain one among them, and another key', async () => {
    const folder = fresh();
    cpSync(at('backup'), folder, { recursive: true });
    writeFileSync(join(folder, 'blobs', hash('model 2')), 'model 2');
    for (const key of [keyFile, undefined])
      expect(failures(await checkFolder(folder, key))).toContainEqual(
        expect.objectContaining({ check: 'models', message: expect.stringContaining('is damaged') }),
      );
    expect(failures(await checkFolder(at('backup'), newer))).toEqual([
      expect.objectContaining({
        check: 'encryption',
        message: expect.stringContaining('is encrypted under'),
      }),
    ]);
  });
});
