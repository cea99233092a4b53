import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { IDENTITY_FILE, openIdentity } from './identity-file.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-identity-'));
  file = join(folder, IDENTITY_FILE);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
const refused = expect.objectContaining({ code: 'storage-failed' });

it('makes an identity once, for its owner only, and finds it again', async () => {
  const made = await openIdentity(folder);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await openIdentity(folder)).id).toBe(made.id);
  expect(readdirSync(folder)).toEqual([IDENTITY_FILE]);
});

it('refuses a file that others may read, instead of going on with a key that they may have', async () => {
  await openIdentity(folder);
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(file, mode);
    await expect(openIdentity(folder)).rejects.toThrow(refused);
  }
});

it('refuses a symbolic link and a damaged file, and never replaces them', async () => {
  await openIdentity(folder);
  const elsewhere = join(folder, 'elsewhere');
  renameSync(file, elsewhere);
  symlinkSync(elsewhere, file);
  await expect(openIdentity(folder)).rejects.toThrow(refused);
  rmSync(file);
  for (const damaged of ['', 'short', `${'A'.repeat(44)}\n`]) {
    writeFileSync(file, damaged, { mode: 0o600 });
    await expect(openIdentity(folder)).rejects.toThrow(refused);
    expect(readFileSync(file, 'utf8')).toBe(damaged);
  }
});

it('does not say the seed in its errors', async () => {
  await openIdentity(folder);
  const seed = readFileSync(file, 'utf8').trim();
  writeFileSync(file, `${seed}${seed}`, { mode: 0o600 });
  const error = await openIdentity(folder).catch((thrown) => thrown);
  expect(`${error.message} ${error.remedy} ${error.cause}`).not.toContain(seed);
});
