/** The doctor of the coordinator on real folders: what it finds, and that it leaves them as they were. */
import { chmod, mkdir, mkdtemp, open, readdir, rm, stat, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '@tributary/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIdentity } from '../registry/identity-file.ts';
import { SCHEMA_VERSION } from '../storage/sqlite/migrations.ts';
import { openDatabase } from '../storage/sqlite/open.ts';
import { fileSystem, space } from './data-folder.ts';
import { examine } from './examine.ts';
import { clock, nodeVersion } from './machine.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tributary-doctor-test-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function dataFolder(name: string): Promise<string> {
  const folder = join(root, name);
  const database = await openDatabase(folder);
  await openIdentity(folder);
  database.exec("INSERT INTO tokens (name, role, hash, created) VALUES ('a', 'admin', 'h', 1767225600000)");
  database.close();
  await mkdir(join(folder, 'blobs'), { mode: 0o700 });
  return folder;
}

const look = (folder: string | undefined, port = 0) => examine({ folder, host: '127.0.0.1', port });
const of = (findings: readonly Finding[], check: string) => findings.find((found) => found.check === check);

/** Names, sizes and times of change. */
async function picture(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  return Promise.all(
    ['.', ...names].map(async (name) => {
      const { size, mtimeMs, mode } = await stat(join(folder, name));
      return [name, size, mtimeMs, mode].join(' ');
    }),
  );
}

describe('tributary-server doctor', () => {
  it('finds a healthy folder well and changes nothing in it', async () => {
    const folder = await dataFolder('healthy');
    const before = await picture(folder);
    const findings = await look(folder);
    expect(findings.filter(({ level, check }) => level !== 'ok' && check !== 'disk')).toEqual([]);
    expect(of(findings, 'database')?.message).toBe(`sound, schema ${SCHEMA_VERSION}`);
    expect(await picture(folder)).toEqual(before);
  });

  it('makes no folder that is not there', async () => {
    const folder = join(root, 'never', 'made');
    expect(of(await look(folder), 'data')).toMatchObject({ level: 'ok' });
    await expect(stat(folder)).rejects.toThrow('ENOENT');
  });

  it.skipIf(process.platform !== 'linux')('lets a running coordinator be', async () => {
    const folder = await dataFolder('running');
    const database = await openDatabase(folder);
    expect(of(await look(folder), 'database')?.message).toContain('running coordinator');
    database.exec("UPDATE tokens SET role = 'operator'");
    database.close();
    expect(of(await look(folder), 'database')?.message).toContain('sound');
  });

  it('sees a damaged database, a newer one, and models that are gone', async () => {
    const folder = await dataFolder('damaged');
    let database = await openDatabase(folder);
    database.exec(
      `INSERT INTO runs VALUES ('r', 'n', '{}', 'p', 'done', NULL, 1, '${'a'.repeat(64)}', '${'b'.repeat(64)}', 'w', NULL, 1)`,
    );
    database.close();
    expect(of(await look(folder), 'models')).toMatchObject({
      level: 'failed',
      message: expect.stringContaining('2 of 2'),
    });
    database = await openDatabase(folder);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(of(await look(folder), 'database')).toMatchObject({
      level: 'failed',
      message: expect.stringMatching(/schema 99/),
    });
    const file = await open(join(folder, 'tributary.db'), 'r+');
    await file.write(Buffer.alloc(8192, 0x41), 0, 8192, 4096);
    await file.close();
    expect(of(await look(folder), 'database')).toMatchObject({
      level: 'failed',
      remedy: expect.stringContaining('backup'),
    });
  });

  it.skipIf(process.platform === 'win32')('sees who else may read, and a key that is a link', async () => {
    const folder = await dataFolder('open');
    await chmod(folder, 0o755);
    await chmod(join(folder, 'coordinator.key'), 0o644);
    let findings = await look(folder);
    expect(of(findings, 'data')).toMatchObject({ level: 'warning', remedy: `Run \`chmod 700 ${folder}\`.` });
    expect(of(findings, 'identity')).toMatchObject({
      level: 'failed',
      message: expect.stringMatching(/644/),
    });
    await rm(join(folder, 'coordinator.key'));
    await symlink('/etc/hostname', join(folder, 'coordinator.key'));
    findings = await look(folder);
    expect(of(findings, 'identity')).toMatchObject({
      level: 'failed',
      message: expect.stringMatching(/symbolic link/),
    });
  });

  it('sees a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    expect(of(await look(undefined, port), 'port')).toMatchObject({
      level: 'failed',
      remedy: expect.stringContaining(`--port ${port + 1}`),
    });
    server.close();
  });

  it('knows network file systems, full disks, old Nodes and wrong clocks', () => {
    expect(fileSystem(0x6969).level).toBe('failed');
    // As a signed number, the way some architectures give it.
    expect(fileSystem(0xff534d42 | 0).level).toBe('failed');
    expect(fileSystem(0x65735546).level).toBe('warning');
    expect(fileSystem(0xef53).level).toBe('ok');
    expect([1e8, 1e9, 1e10].map((free) => space(free, '/data').level)).toEqual(['failed', 'warning', 'ok']);
    expect(['18.20.0', '20.18.0', '20.19.0', '21.7.0', '24.1.0'].map((v) => nodeVersion(v).level)).toEqual([
      ...['failed', 'failed', 'ok', 'warning', 'ok'],
    ]);
    const now = Date.parse('2026-11-22');
    expect([clock(0, 0), clock(now, now + 1e6), clock(now, now)].map(({ level }) => level)).toEqual([
      ...['failed', 'warning', 'ok'],
    ]);
  });
});
