/** Backups of a running coordinator, restored: nothing lost goes on; what was lost is refused by those who have seen it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApiClient } from '@tributary/client-sdk';
import type { Finding, RunDetail } from '@tributary/protocol';
import { checkFolder, restoreBackup, writeBackup } from '@tributary/server';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { benchPlan, type Fleet, startFleet } from './support/fleet.ts';
import { type CoordinatorProcess, startCoordinator } from './support/processes.ts';

const BIN = fileURLToPath(new URL('../bin/tributary-server.js', import.meta.resolve('@tributary/server')));
const home = mkdtempSync(join(tmpdir(), 'tributary-backup-'));
const [backup, second, third] = ['backup', 'second', 'third'].map((name) => join(home, name)) as [
  string,
  string,
  string,
];

interface Answer {
  readonly status: number | null;
  readonly stderr: string;
  /** What `--json` printed. */
  readonly facts: Record<string, unknown>;
}

/** The clients of this process go on meanwhile. */
function command(...args: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args, '--json']);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.on('close', (status) =>
      resolve({ status, stderr, facts: stdout === '' ? {} : JSON.parse(stdout) }),
    );
  });
}

let fleet: Fleet;
let running: CoordinatorProcess;
let port: number;
beforeAll(async () => {
  fleet = await startFleet({ clients: 3, parameters: 1000, backoff: { minMs: 20, maxMs: 100 } });
  running = fleet.coordinator;
  port = Number(new URL(running.url).port);
});
afterAll(async () => {
  await running.stop();
  await fleet.close();
  rmSync(home, { recursive: true, force: true });
});

const failures = (findings: readonly Finding[]) => findings.filter(({ level }) => level === 'failed');
const api = () => createApiClient({ url: fleet.coordinator.url, token: fleet.coordinator.adminToken! });
const until = (id: string, ready: (run: RunDetail) => boolean) =>
  vi.waitFor(
    async () => {
      const found = await api().run(id);
      if (!ready(found)) throw new Error(`${found.status}, round ${found.round}, ${found.current?.phase}`);
      return found;
    },
    { timeout: 30_000, interval: 50 },
  );

async function restartOn(folder: string): Promise<void> {
  await running.stop('SIGKILL');
  running = await startCoordinator(folder, port);
}

describe('a backup of a running coordinator', () => {
  let run: string;
  let before: RunDetail;

  it('is whole, private, and finds all well in itself and in the folder', async () => {
    run = (await fleet.start(benchPlan(3, 'secure', 6))).id;
    await until(run, ({ round }) => round >= 2);
    await api().pauseRun(run);
    before = await until(run, ({ current }) => current!.phase.includes('paused'));
    expect(await writeBackup(fleet.folder, backup)).toMatchObject({
      live: true,
      models: before.round + 1,
      epoch: 1,
    });
    expect(statSync(backup).mode & 0o777).toBe(0o700);
    expect(statSync(join(backup, 'coordinator.key')).mode & 0o777).toBe(0o600);
    expect(failures(await checkFolder(backup))).toEqual([]);
    expect(await command('check', '--data', fleet.folder)).toMatchObject({ status: 0, facts: { failed: 0 } });
    await expect(writeBackup(fleet.folder, backup)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('restored, goes on where it stood, in a higher epoch', async () => {
    const { status, facts } = await command('restore', '--from', backup, '--data', second);
    expect({ status, ...facts }).toMatchObject({ status: 0, coordinator: running.key, epoch: { before: 1 } });
    await expect(restoreBackup(backup, second)).rejects.toMatchObject({ code: 'conflict' });
    await restartOn(second);
    await api().resumeRun(run);
    const done = await until(run, (found) => found.status === 'done');
    expect(done.history.map(({ round }) => round)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(done.history.slice(0, before.round)).toEqual(before.history);
    expect(failures(await checkFolder(second))).toEqual([]);
  });

  it('restored a second time is refused by those who have seen more; another run goes on', async () => {
    const refused = new Promise<string>((resolve) => {
      fleet.clients[0]!.on('refused', ({ code, message }) => code === 'rolled-back' && resolve(message));
    });
    await restoreBackup(backup, third);
    await restartOn(third);
    await api().resumeRun(run);
    expect(await refused).toMatch(/saw round 6 of run .* published in epoch \d+; in epoch \d+ round/);
    const { consents } = await until(run, (found) =>
      found.consents.some(({ answer }) => answer === 'decline'),
    );
    expect(consents.map(({ code }) => code)).toContain('rolled-back');
    await api().cancelRun(run);
    const { id } = await fleet.start(benchPlan(3, 'secure', 1));
    await until(id, (found) => found.status === 'done');
  });

  it('leaves no way back: the former coordinator is refused when it runs again', async () => {
    const refused = new Promise<void>((resolve) => {
      fleet.clients[1]!.on('disconnected', ({ code, final }) => {
        if (code === 'stale-epoch' && !final) resolve();
      });
    });
    await restartOn(second);
    await refused;
    await restartOn(third);
    await vi.waitFor(
      async () => expect((await api().partners()).every(({ connected }) => connected)).toBe(true),
      {
        timeout: 10_000,
      },
    );
  });
});

describe('a damaged backup', () => {
  it('is not restored, and the check names each damage', async () => {
    const [blob] = (JSON.parse(readFileSync(join(backup, 'manifest.json'), 'utf8')) as Manifest).files.filter(
      ({ path }) => path.startsWith('blobs/'),
    );
    truncateSync(join(backup, blob!.path), 100);
    const never = join(home, 'never');
    await expect(restoreBackup(backup, never)).rejects.toMatchObject({
      code: 'hash-mismatch',
      message: expect.stringMatching(/is not what was backed up: 100 bytes/),
    });
    expect(statSync(never, { throwIfNoEntry: false })).toBeUndefined();
    const { status, facts } = await command('check', '--data', backup);
    expect(status).toBe(1);
    expect(facts.findings).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({
          check: 'backup',
          level: 'failed',
          message: expect.stringContaining(blob!.path),
        }),
        expect.objectContaining({
          check: 'models',
          level: 'failed',
          remedy: expect.stringContaining('blobs'),
        }),
      ]),
    );
  });

  it('whose manifest leads out of its folder is refused', async () => {
    const path = join(backup, 'manifest.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
    manifest.files.push({ path: 'blobs/../../outside', bytes: 1, sha256: 'a'.repeat(64) });
    writeFileSync(path, JSON.stringify(manifest));
    await expect(restoreBackup(backup, join(home, 'never'))).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringMatching(/its list of files is wrong/),
    });
  });
});

interface Manifest {
  readonly files: { path: string; bytes: number; sha256: string }[];
}
