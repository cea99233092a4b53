import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LIMITS, type SignedRotation } from '@tributary/protocol';
import { afterAll, describe, expect, it } from 'vitest';
import { type StoreAdapter, storeAcceptance } from '../acceptance.ts';
import { rotationAcceptance } from '../acceptance-rotations.ts';
import { entry, hash, invited, key, runRow } from '../fixtures.ts';
import { loadDriver, type SqliteDriver } from './drivers.ts';
import { DATABASE_FILE, openDatabase } from './open.ts';
import { openSqliteStore } from './store.ts';

const made: string[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tributary-sqlite-'));
  made.push(path);
  return path;
}
afterAll(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

const drivers: SqliteDriver[] = [];
for (const driver of ['node:sqlite', 'better-sqlite3'] as const)
  await loadDriver(driver).then(
    () => drivers.push(driver),
    () => {},
  );

it('finds a driver on this machine', () => {
  expect(drivers.length).toBeGreaterThan(0);
});

for (const driver of drivers) {
  const folders = new WeakMap<object, string>();
  const open = async (path: string) => {
    const store = await openSqliteStore(path, { driver });
    folders.set(store, path);
    return store;
  };
  const adapter: StoreAdapter = {
    open: () => open(folder()),
    async reopen(store) {
      await store.close();
      return open(folders.get(store)!);
    },
  };
  storeAcceptance(driver, adapter);
  rotationAcceptance(driver, adapter);

  describe(`SQLite by ${driver}`, () => {
    it('refuses a second process, and a second store in this one, while the first is open', async () => {
      const path = folder();
      const store = await openSqliteStore(path, { driver });
      await expect(openSqliteStore(path, { driver })).rejects.toThrow(
        expect.objectContaining({ code: 'already-running' }),
      );
      const child = await run(path, driver);
      expect(child.stderr).toContain('already-running');
      expect(child.acknowledged).toEqual([]);
      await store.commit({ epoch: 1, runs: [runRow('r1')] });
      await store.close();
      await (await openSqliteStore(path, { driver })).close();
    });

    it('refuses a database that a newer program wrote, and leaves it alone', async () => {
      const path = folder();
      const handle = await openDatabase(path, { driver });
      handle.exec('PRAGMA user_version = 99');
      handle.close();
      for (let attempt = 0; attempt < 2; attempt++)
        await expect(openSqliteStore(path, { driver })).rejects.toThrow(
          expect.objectContaining({ code: 'unsupported-version', message: expect.stringContaining('99') }),
        );
    });

    it('counts the rotations of all partners, and knows the coordinator’s key from those of an older version', async () => {
      const path = folder();
      const store = await openSqliteStore(path, { driver });
      const [ann, bob, own] = [key(), key(), key()];
      for (const [name, member] of [
        ['ann', ann],
        ['bob', bob],
      ] as const) {
        await store.invite(invited(name, name));
        await store.enrol(hash(name), member, 1500);
      }
      await store.close();
      const rotation = (subject: string, old: string, to: string) => ({
        rotation: { subject, coordinator: own, old, new: to, time: 1 },
        signatures: { old: 'A'.repeat(86), new: 'A'.repeat(86) },
      });
      const handle = await openDatabase(path, { driver });
      const insert = (signed: ReturnType<typeof rotation>, nth: number) => {
        const { old, new: to } = signed.rotation;
        handle.exec(`INSERT INTO rotations VALUES ('${old}', '${to}', ${nth}, '${JSON.stringify(signed)}')`);
      };
      insert(rotation('member', key(), bob), LIMITS.rotationList);
      const middle = key();
      insert(rotation('coordinator', key(), middle), 1);
      insert(rotation('coordinator', middle, own), 2);
      handle.exec('ALTER TABLE coordinator DROP COLUMN key; PRAGMA user_version = 4');
      handle.close();
      const again = await openSqliteStore(path, { driver });
      expect(await again.ownKey()).toBe(own);
      const next = rotation('member', ann, key()) as SignedRotation;
      await expect(again.rotate(next)).rejects.toThrow(expect.objectContaining({ code: 'conflict' }));
      await again.removePartner('bob');
      expect(await again.rotate(next)).toMatchObject({ name: 'ann', key: next.rotation.new });
      await again.close();
    });

    it('writes ahead, syncs fully, checks foreign keys, and shows the file to its owner only', async () => {
      const path = folder();
      const handle = await openDatabase(path, { driver });
      const pragma = (name: string) =>
        Object.values(handle.prepare(`PRAGMA ${name}`).all([])[0] as object)[0];
      expect(pragma('journal_mode')).toBe('wal');
      expect(pragma('synchronous')).toBe(2);
      expect(pragma('foreign_keys')).toBe(1);
      expect(pragma('locking_mode')).toBe('exclusive');
      expect(statSync(join(path, DATABASE_FILE)).mode & 0o777).toBe(0o600);
      expect(statSync(join(path, `${DATABASE_FILE}-wal`)).mode & 0o777).toBe(0o600);
      handle.close();
    });

    it('has every acknowledged commit, whole, after kill -9 again and again', async () => {
      const path = folder();
      let acknowledged = 0;
      for (let kill = 0; kill < 5; kill++) {
        const child = await run(path, driver, 20 + 15 * kill);
        expect(child.stderr).toBe('');
        acknowledged = child.acknowledged.at(-1)!;
        const store = await openSqliteStore(path, { driver });
        const journal = await store.journal('r1');
        const last = journal.length;
        // At most one commit was under way when the process died.
        expect(last - acknowledged).toBeGreaterThanOrEqual(0);
        expect(last - acknowledged).toBeLessThanOrEqual(1);
        expect(journal).toEqual(Array.from({ length: last }, (_, i) => entry('r1', i + 1)));
        expect(await store.updates(hash('attempt'))).toHaveLength(last);
        expect((await store.run('r1'))?.round).toBe(last);
        await store.close();
      }
      expect(acknowledged).toBeGreaterThanOrEqual(20 + 35 + 50 + 65 + 80);
    });
  });
}

/** Runs the victim until it has acknowledged `commits` more commits, then kills it; without a number until it ends. */
function run(path: string, driver: SqliteDriver, commits?: number) {
  const victim = fileURLToPath(new URL('../../../dist/storage/sqlite/commit-forever.js', import.meta.url));
  if (!existsSync(victim)) throw new Error(`${victim} is missing: run \`npm run build\` first.`);
  return new Promise<{ acknowledged: number[]; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, ['--no-warnings', victim, path, driver]);
    let stdout = '';
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    child.stdout.on('data', (text) => {
      stdout += text;
      if (commits && stdout.split('\n').length > commits) child.kill('SIGKILL');
    });
    child.on('close', () => resolve({ acknowledged: stdout.split('\n').slice(0, -1).map(Number), stderr }));
  });
}
