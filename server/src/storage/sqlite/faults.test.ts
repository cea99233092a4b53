/** What a disk does to a database, and what is said of it. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { entry, hash, roundRow, runRow, updateRow } from '../fixtures.ts';
import { DATABASE_FILE, IDENTITY_FILE } from './open.ts';
import { openSqliteStore } from './store.ts';

const home = mkdtempSync(join(tmpdir(), 'tributary-faults-'));
const mounted: string[] = [];
afterAll(() => {
  for (const path of mounted) spawnSync('umount', [path]);
  rmSync(home, { recursive: true, force: true });
});

let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(home, `data-${++count}`);
});

/** A small disk of its own; false where this user may not mount one. */
function mountDisk(path: string, options: string): boolean {
  mkdirSync(path, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  if (status === 0) mounted.push(path);
  return status === 0;
}
const mayMount = process.platform === 'linux' && mountDisk(join(home, 'trial'), 'size=64k');

/** A database with a run, `entries` journal entries in as many transactions, and the log of a process that was killed. */
async function killed(entries: number): Promise<{ log: string; file: string }> {
  const store = await openSqliteStore(folder);
  await store.commit({ epoch: 1, runs: [runRow('r1')] });
  for (let seq = 1; seq <= entries; seq++) await store.commit({ epoch: 1, journal: [entry('r1', seq)] });
  const aside = `${folder}-killed`;
  mkdirSync(aside);
  const [file, log] = [join(aside, DATABASE_FILE), join(aside, `${DATABASE_FILE}-wal`)];
  copyFileSync(join(folder, DATABASE_FILE), file);
  copyFileSync(join(folder, `${DATABASE_FILE}-wal`), log);
  await store.close();
  folder = aside;
  return { file, log };
}

/** A database of some hundred pages. */
async function large(): Promise<string> {
  const store = await openSqliteStore(folder);
  await store.commit({ epoch: 1, runs: [runRow('r1')] });
  const journal = Array.from({ length: 100 }, (_, i) => entry('r1', i + 1, { text: 'x'.repeat(3000) }));
  await store.commit({ epoch: 1, journal });
  await store.close();
  writeFileSync(join(folder, IDENTITY_FILE), '');
  return join(folder, DATABASE_FILE);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = bytes[at]! ^ 1;
  writeFileSync(path, bytes);
}

const refusal = (code: string, message: RegExp, remedy: RegExp) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(message),
    remedy: expect.stringMatching(remedy),
  });

describe('a damaged database', () => {
  const damages: [string, (file: string) => void][] = [
    ['cut off in the middle', (file) => truncateSync(file, 40_960)],
    ['that is no database', (file) => writeFileSync(file, 'x'.repeat(8192))],
    [
      'with a page of zeros',
      (file) => writeFileSync(file, readFileSync(file).fill(0, 100 * 1024, 104 * 1024)),
    ],
    ['that is empty beside a key', (file) => truncateSync(file, 0)],
    ['that is missing beside a key', (file) => rmSync(file)],
  ];
  it.each(damages)('%s is refused at the start, and left as it is', async (_, damage) => {
    const file = await large();
    damage(file);
    const before = statSync(file, { throwIfNoEntry: false })?.size;
    for (let start = 0; start < 2; start++)
      await expect(openSqliteStore(folder)).rejects.toThrow(
        refusal('storage-failed', /it is damaged/, /tributary-server check .*restore --from/),
      );
    expect(statSync(file, { throwIfNoEntry: false })?.size).toBe(before);
  });
});

describe('the write-ahead log of a killed process', () => {
  it('is read to its end, whatever a crash cut off of the last transaction', async () => {
    const { log } = await killed(3);
    truncateSync(log, statSync(log).size - 700);
    const store = await openSqliteStore(folder);
    expect((await store.journal('r1')).map(({ seq }) => seq)).toEqual([1, 2]);
    await store.close();
  });

  it('is refused when acknowledged transactions lie behind the damage, until somebody decides to drop them', async () => {
    const { log } = await killed(4);
    const frame = 24 + 4096;
    const frames = Math.floor((statSync(log).size - 32) / frame);
    flip(log, 32 + (frames - 5) * frame + 24 + 2000);
    for (let start = 0; start < 2; start++)
      await expect(openSqliteStore(folder)).rejects.toThrow(
        refusal('storage-failed', /damaged at byte \d+: \d or more acknowledged/, /restore --in-place/),
      );
    const store = await openSqliteStore(folder, { dropDamaged: true });
    expect((await store.journal('r1')).length).toBeLessThan(4);
    await store.close();
    await (await openSqliteStore(folder)).close();
  });

  it('with a damaged header is refused as well: everything in it would be dropped', async () => {
    const { log } = await killed(2);
    flip(log, 17);
    await expect(openSqliteStore(folder)).rejects.toThrow(refusal('storage-failed', /at byte 0/, /restore/));
  });
});

describe.skipIf(!mayMount)('a disk', () => {
  it('that is full refuses a commit with its remedy; what was acknowledged stays, and it goes on after space is back', async () => {
    expect(mountDisk(folder, 'size=500k')).toBe(true);
    const store = await openSqliteStore(folder);
    const ballast = join(folder, 'ballast');
    writeFileSync(ballast, Buffer.alloc(100_000));
    await store.commit({ epoch: 1, runs: [runRow('r1')] });
    let last = 0;
    const fill = async () => {
      for (;;) {
        await store.commit({
          epoch: 1,
          journal: [entry('r1', last + 1, { text: 'x'.repeat(9000) })],
        });
        last++;
      }
    };
    await expect(fill()).rejects.toThrow(
      refusal('storage-failed', /the disk is full/, /df -h .*comes again/),
    );
    expect(await store.journal('r1')).toHaveLength(last);
    rmSync(ballast);
    await store.commit({ epoch: 1, journal: [entry('r1', last + 1)] });
    await store.close();
    const again = await openSqliteStore(folder);
    expect(await again.journal('r1')).toHaveLength(last + 1);
    await again.close();
  });

  it('that is mounted read-only is refused at the start', async () => {
    expect(mountDisk(folder, 'size=500k')).toBe(true);
    await (await openSqliteStore(folder)).close();
    expect(spawnSync('mount', ['-o', 'remount,ro', folder]).status).toBe(0);
    await expect(openSqliteStore(folder)).rejects.toThrow(
      refusal('storage-failed', /it cannot be written/, /ls -ld .*findmnt/),
    );
  });
});

it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')(
  'a folder of another user is refused with its remedy',
  async () => {
    await (await openSqliteStore(folder)).close();
    chmodSync(folder, 0o500);
    chmodSync(join(folder, DATABASE_FILE), 0o400);
    await expect(openSqliteStore(folder)).rejects.toThrow(
      refusal('storage-failed', /it cannot be written|this user may not/, /ls -ld/),
    );
    chmodSync(folder, 0o700);
  },
);

describe('a copy of a database in use', () => {
  it('is consistent and bears the raised epoch only after it was raised', async () => {
    const store = await openSqliteStore(folder);
    await store.commit({ epoch: 1, runs: [runRow('r1')], rounds: [roundRow('r1', 1)] });
    const aside = join(home, `copy-${count}`);
    mkdirSync(aside);
    const writes = [2, 3, 4].map((round) => store.commit({ epoch: 1, rounds: [roundRow('r1', round)] }));
    await Promise.all([...writes, store.copyTo(join(aside, DATABASE_FILE))]);
    const copy = await openSqliteStore(aside);
    expect((await copy.rounds('r1')).length).toBeGreaterThan(0);
    await copy.raiseEpoch(7);
    await expect(copy.raiseEpoch(7)).rejects.toMatchObject({ code: 'conflict' });
    await expect(copy.commit({ epoch: 1, runs: [runRow('r1')] })).rejects.toMatchObject({ code: 'conflict' });
    expect([await store.epoch(), await copy.epoch()]).toEqual([1, 7]);
    await Promise.all([store.close(), copy.close()]);
  });
});

it('stays small over many rounds: journal, updates, snapshots and log', async () => {
  const store = await openSqliteStore(folder);
  await store.commit({ epoch: 1, runs: [runRow('r1')] });
  const sizes: number[] = [];
  let seq = 0;
  for (let round = 1; round <= 60; round++) {
    for (let i = 0; i < 4; i++)
      await store.commit({
        epoch: 1,
        journal: [entry('r1', ++seq, { text: 'x'.repeat(20_000) })],
        updates: [updateRow('r1', `m${i}`, { attempt: hash(`attempt ${round}`) })],
      });
    await store.commit({
      epoch: 1,
      journal: [entry('r1', ++seq)],
      snapshots: [{ run: 'r1', seq, machine: 1, state: {} }],
    });
    expect(await store.updates(hash(`attempt ${round}`))).toEqual([]);
    const size = (name: string) => statSync(join(folder, name)).size;
    sizes.push(size(DATABASE_FILE) + size(`${DATABASE_FILE}-wal`));
  }
  expect(await store.journal('r1')).toEqual([]);
  // Pages of what was deleted are used again: the second half of the rounds adds nothing.
  expect(sizes.at(-1)).toBeLessThan(1.1 * sizes[39]! + 8192);
  expect(sizes.at(-1)).toBeLessThan(6_000_000);
  await store.close();
});
