/** A coordinator whose models and updates are encrypted on disk, and what it leaves there for other users: nothing. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunDetail } from '@tributary/protocol';
import {
  checkFolder,
  createApp,
  createLog,
  makeKeyFile,
  restoreBackup,
  writeBackup,
} from '@tributary/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { benchPlan, type Fleet, startFleet } from './support/fleet.ts';
import { type CoordinatorProcess, startCoordinator } from './support/processes.ts';

const BIN = fileURLToPath(new URL('../bin/tributary-server.js', import.meta.resolve('@tributary/server')));
const home = mkdtempSync(join(tmpdir(), 'tributary-at-rest-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Every file of the folder with its path. */
const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('a coordinator with --encrypt-blobs', () => {
  let fleet: Fleet;
  let running: CoordinatorProcess;
  beforeAll(async () => {
    // A vector of several frames.
    fleet = await startFleet({
      clients: 3,
      parameters: 50_000,
      backoff: { minMs: 20, maxMs: 100 },
      encryptBlobs: true,
    });
    running = fleet.coordinator;
  });
  afterAll(async () => {
    await running.stop();
    await fleet.close();
  });

  const keyFile = () => `${fleet.folder}.key`;
  const blobs = () => filesOf(join(fleet.folder, 'blobs'));

  it('trains as ever; on disk is nothing that reads as a model, and downloads are whole or in part what was summed', async () => {
    const run = await fleet.run(benchPlan(3, 'secure', 2));
    expect(run.round).toBe(2);
    expect(blobs()).toHaveLength(3);
    for (const path of blobs()) {
      const bytes = readFileSync(path);
      expect(bytes.subarray(0, 7).toString()).toBe('TRIBENC');
      expect(bytes.includes('dense/kernel')).toBe(false);
    }
    const model = await fleet.api.getBlob(run.model);
    const headers = { authorization: `Bearer ${running.adminToken}`, range: 'bytes=70000-140001' };
    const part = await fetch(`${running.url}/v1/blobs/${run.model}`, { headers });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(model.subarray(70_000, 140_002))).toBe(true);
  });

  it('goes on with the same attempt after kill -9 while updates lie in its spool', async () => {
    const { id } = await fleet.start(benchPlan(3, 'secure', 1));
    const spooled = () => filesOf(join(fleet.folder, 'spool')).filter((path) => !path.endsWith('.part'));
    await vi.waitUntil(() => spooled().length > 0, { timeout: 20_000, interval: 1 });
    await running.stop('SIGKILL');
    const kept = spooled();
    for (const path of kept) expect(readFileSync(path).subarray(0, 7).toString()).toBe('TRIBENC');
    const port = Number(new URL(running.url).port);
    running = await startCoordinator(fleet.folder, port, ['--encrypt-blobs', keyFile()]);
    const done = await vi.waitFor(
      async () => {
        const found: RunDetail = await fleet.api.run(id);
        if (found.status !== 'done') throw new Error(found.status);
        return found;
      },
      { timeout: 30_000, interval: 50 },
    );
    expect(done.round).toBe(1);
    expect(kept.length).toBeGreaterThan(0);
    await expect.poll(() => filesOf(join(fleet.folder, 'spool'))).toEqual([]);
  });

  it('is backed up while it runs, checked, and restored; its key is in none of it', async () => {
    const [backup, restored] = [join(home, 'backup'), join(home, 'restored')];
    expect(await writeBackup(fleet.folder, backup)).toMatchObject({ live: true, modelsChecked: false });
    await restoreBackup(backup, restored, { encryptBlobs: keyFile() });
    for (const folder of [fleet.folder, backup, restored])
      expect((await checkFolder(folder, keyFile())).filter(({ level }) => level !== 'ok')).toEqual([]);
    const secret = readFileSync(keyFile(), 'utf8').trim().split(':')[1]!;
    for (const path of [fleet.folder, backup, restored].flatMap(filesOf)) {
      const bytes = readFileSync(path);
      expect(bytes.includes(secret) || bytes.includes(Buffer.from(secret, 'base64url'))).toBe(false);
    }
  });

  it('starts with its key only', async () => {
    await running.stop();
    const other = join(home, 'other.key');
    await makeKeyFile(other);
    const args = ['start', '--data', fleet.folder, '--port', '0'];
    const { status, stderr } = spawnSync(process.execPath, [BIN, ...args], {
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...process.env, TRIBUTARY_ENCRYPT_BLOBS: other },
    });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/The key given is [0-9a-f]{32}.*\n.*--encrypt-blobs KEYFILE/),
    });
  });
});

describe.skipIf(process.platform === 'win32')('what other users of the machine could read', () => {
  const modes = (folder: string) =>
    ['.', ...(readdirSync(folder, { recursive: true }) as string[])].flatMap((path) => {
      const { mode } = lstatSync(join(folder, path));
      return (mode & 0o077) === 0 ? [] : [`${path} ${(mode & 0o777).toString(8)}`];
    });

  it('is nothing, with the most open umask: of a running coordinator, its uploads, backups and keys', async () => {
    const before = process.umask(0);
    const [data, backup, restored] = ['data', 'private-backup', 'private-restored'].map((name) =>
      join(home, name),
    ) as [string, string, string];
    mkdirSync(data, { mode: 0o755 });
    const told: string[] = [];
    const log = createLog('warn', destination(told));
    const app = await createApp({ folder: data, log });
    try {
      // A folder that was there before is not the program's to change.
      expect(told).toEqual([expect.stringContaining('has mode 755: others get at it')]);
      chmodSync(data, 0o700);
      const bytes = Buffer.alloc(100_000, 1);
      const { url } = await app.listen({ host: '127.0.0.1', port: 0 });
      const hash = await put(url, app.adminToken!, bytes);
      expect(readdirSync(data)).toEqual(
        expect.arrayContaining(['blobs', 'control.sock', 'coordinator.key', 'spool', 'tributary.db']),
      );
      expect(readdirSync(join(data, 'blobs'))).toEqual([hash]);
      await writeBackup(data, backup);
      await restoreBackup(backup, restored);
      for (const folder of [data, backup, restored]) expect(modes(folder)).toEqual([]);
      expect(statSync(join(data, 'tributary.db-wal')).size).toBeGreaterThan(0);
    } finally {
      await app.close();
      process.umask(before);
    }
  });
});

function destination(lines: string[]): Parameters<typeof createLog>[1] {
  return { write: (line: string) => lines.push(line) } as unknown as Parameters<typeof createLog>[1];
}

async function put(url: string, token: string, bytes: Buffer): Promise<string> {
  const hash = createHash('sha256').update(bytes).digest('hex');
  const response = await fetch(`${url}/v1/blobs/${hash}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: bytes,
  });
  expect(response.status).toBe(201);
  return hash;
}
