/** A backup that somebody prepared: what is read of it ends, and nothing of it stays when it is refused. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hash } from '../storage/fixtures.ts';
import { backupFindings } from './check-backup.ts';
import { writeDataFolder } from './fixture.ts';
import { restoreBackup } from './restore.ts';
import { writeBackup } from './write.ts';

let home: string;
let backup: string;
let model: string;
beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'tributary-restore-'));
  backup = join(home, 'backup');
  model = join(backup, 'blobs', hash('model 1'));
  await writeDataFolder(join(home, 'data'));
  await writeBackup(join(home, 'data'), backup);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('a backup with', () => {
  it.each<[string, string, () => void]>([
    ['a pipe', 'no regular file', () => execFileSync('mkfifo', [model])],
    ['a device', 'no regular file', () => symlinkSync('/dev/null', model)],
    ['a folder', 'no regular file', () => mkdirSync(model)],
    ['a longer file', '16 bytes; the manifest says 7', () => appendFileSync(model, 'model 1 and more')],
  ])('%s in the place of a model is refused before it is read', async (_, how, put) => {
    rmSync(model, { recursive: true });
    put();
    const restored = restoreBackup(backup, join(home, 'restored'));
    await expect(restored).rejects.toMatchObject({
      code: 'hash-mismatch',
      message: expect.stringContaining(how),
    });
    expect(readdirSync(home).sort()).toEqual(['backup', 'data']);
    expect(await backupFindings(backup)).toMatchObject([{ message: expect.stringContaining('is not what') }]);
  });
});
