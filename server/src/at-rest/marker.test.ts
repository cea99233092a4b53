import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobFolder } from '../storage/blobs.ts';
import { type BlobKey, makeKeyFile, readKeyFile } from './key.ts';
import { MARKER_FILE, settleEncryption } from './marker.ts';

const code = (expected: string) => expect.objectContaining({ code: expected });
const refusal = (message: RegExp, remedy: RegExp) =>
  expect.objectContaining({
    code: 'storage-failed',
    message: expect.stringMatching(message),
    remedy: expect.stringMatching(remedy),
  });

let home: string;
let keyFile: string;
let key: BlobKey;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tributary-marker-'));
  keyFile = join(home, 'blobs.key');
  key = await makeKeyFile(keyFile);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('a data folder', () => {
  const data = () => {
    mkdirSync(join(home, 'data'), { recursive: true });
    return join(home, 'data');
  };
  const settle = (file?: string) => settleEncryption(data(), file);

  it('is what it was at its first start; another key, no key, or a key too many is refused', async () => {
    expect((await settle(keyFile))?.id).toBe(key.id);
    expect((await settle(keyFile))?.id).toBe(key.id);
    expect(statSync(join(data(), MARKER_FILE)).mode & 0o777).toBe(0o600);
    await expect(settle()).rejects.toThrow(refusal(/are encrypted under key/, /--encrypt-blobs KEYFILE/));
    const another = join(home, 'another.key');
    await makeKeyFile(another);
    await expect(settle(another)).rejects.toThrow(refusal(/The key given is .* under/, /Give its key/));
    rmSync(data(), { recursive: true });
    expect(await settle()).toBeNull();
    await (await openBlobFolder(join(data(), 'blobs'))).put(Buffer.from('model'));
    expect(await settle()).toBeNull();
    await expect(settle(keyFile)).rejects.toThrow(
      refusal(/not encrypted/, /restore --from BACKUP .*--encrypt/),
    );
  });

  it('that lost its marker, or has a damaged one, is not taken for plain', async () => {
    await settle(keyFile);
    await (await openBlobFolder(join(data(), 'blobs'), key)).put(Buffer.from('model'));
    const marker = join(data(), MARKER_FILE);
    for (const text of ['', '{}', '{"format":"tributary-encryption","version":2,"key":"00"}']) {
      writeFileSync(marker, text);
      await expect(settle(keyFile)).rejects.toThrow(refusal(/is damaged/, /backup/));
    }
    rmSync(marker);
    for (const file of [keyFile, undefined])
      await expect(settle(file)).rejects.toThrow(refusal(/is missing/, /Copy it from a backup/));
  });

  it('does not hold its own key', async () => {
    const inside = join(data(), 'blobs.key');
    await makeKeyFile(inside);
    await expect(settle(inside)).rejects.toThrow(refusal(/lies in the data folder/, /apart/));
  });
});

describe('a key file', () => {
  it('is for its owner only, a new one each time, and never written over', async () => {
    const umask = process.umask(0);
    try {
      expect((await makeKeyFile(join(home, 'open'))).id).not.toBe(key.id);
      expect(statSync(join(home, 'open')).mode & 0o777).toBe(0o600);
    } finally {
      process.umask(umask);
    }
    await expect(makeKeyFile(keyFile)).rejects.toThrow(code('conflict'));
    expect((await readKeyFile(keyFile)).id).toBe(key.id);
  });

  it('is refused when it is missing, none, or open to others; what is in it is not shown', async () => {
    const secret = readFileSync(keyFile, 'utf8').trim().split(':')[1]!;
    const refused = async (message: RegExp, remedy: RegExp) => {
      const error = await readKeyFile(keyFile).catch((thrown) => thrown);
      expect(error).toEqual(refusal(message, remedy));
      expect(`${error.message} ${error.remedy}`).not.toContain(secret);
    };
    if (process.platform !== 'win32')
      for (const mode of [0o640, 0o604, 0o620]) {
        chmodSync(keyFile, mode);
        await refused(/has mode/, /chmod 600/);
      }
    chmodSync(keyFile, 0o600);
    for (const text of ['', secret, `tributary-blob-key-1:${secret.slice(1)}`]) {
      writeFileSync(keyFile, text);
      await refused(/does not hold a key/, /tributary-server new-key/);
    }
    rmSync(keyFile);
    await refused(/cannot be read \(ENOENT\)/, /new-key/);
    execFileSync('mkfifo', ['-m', '600', keyFile]);
    await refused(/is no regular file/, /new-key/);
  });
});
