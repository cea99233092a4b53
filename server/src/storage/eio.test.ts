/**
 * A disk that fails: EIO from fsync, write and read. After a failed fsync the kernel calls the pages clean and drops them
 * (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020): to sync again proves nothing, so
 * what was not synced must not count, and comes again as new bytes. Each call fails once here; all others are real.
 */
import { createHash, randomBytes } from 'node:crypto';
import fs, { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFile } from '../at-rest/reader.ts';
import { openBlobFolder } from './blobs.ts';
import type { ResumableSpool } from './ports.ts';
import { openSpoolFolder } from './spool.ts';

const bytes = randomBytes(1_500_001);
const sha256 = createHash('sha256').update(bytes).digest('hex');
const expected = { sha256, bytes: bytes.length };
const attempt = createHash('sha256').update('attempt').digest('hex');
const member = 'm'.repeat(43);
const eio = () => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
const failed = expect.objectContaining({
  code: 'storage-failed',
  message: expect.stringContaining('the disk does not answer as it should (EIO)'),
  remedy: expect.stringContaining('dmesg'),
});

let folder: string;
let spool: ResumableSpool;
let handles: FileHandle;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-eio-'));
  spool = await openSpoolFolder(folder);
  const handle = await open(folder, 'r');
  handles = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
});
afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  rmSync(folder, { recursive: true, force: true });
});

/** The `nth` sync of a file, or of a folder, from now on fails. */
function failSync(kind: 'file' | 'folder', nth = 1): void {
  const real = handles.sync;
  let left = nth;
  vi.spyOn(handles, 'sync').mockImplementation(async function (this: FileHandle) {
    const isFolder = (await this.stat()).isDirectory();
    if (isFolder === (kind === 'folder') && --left === 0) throw eio();
    await real.call(this);
  });
}

function failWrite(nth: number): void {
  const real = fs.writev;
  let left = nth;
  vi.spyOn(fs, 'writev').mockImplementation(((fd, buffers, position, done) => {
    if (--left === 0) setImmediate(() => done(eio(), 0, buffers));
    else Reflect.apply(real, fs, [fd, buffers, position, done]);
  }) as typeof fs.writev);
  syncBuiltinESMExports();
}

function chunked(what: Buffer, size = 600_000): Readable {
  const at = Array.from({ length: Math.ceil(what.length / size) }, (_, i) => i * size);
  return Readable.from(at.map((start) => what.subarray(start, start + size)));
}
const receive = (change: object = {}, what = bytes) =>
  spool.receive(attempt, member, chunked(what), { ...expected, ...change });
const held = () => spool.held(attempt, member, sha256);

async function comesAgain(): Promise<void> {
  expect(await held()).toBe(0);
  expect(existsSync(join(folder, attempt)) ? await readdir(join(folder, attempt)) : []).toEqual([]);
  await receive();
  expect(await held()).toBe('all');
  expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
}

describe('an update', () => {
  it.each<[string, () => void]>([
    ['whose sync fails', () => failSync('file')],
    // The first sync of a folder is that of the attempt's.
    ['whose name cannot be synced', () => failSync('folder', 2)],
    ['whose first bytes cannot be written', () => failWrite(1)],
    ['whose last bytes cannot be written', () => failWrite(2)],
  ])('%s is not acknowledged, and counts only when it has come again', async (_, fail) => {
    fail();
    await expect(receive()).rejects.toThrow(failed);
    await comesAgain();
  });

  it('that broke off is kept only if what there is of it was synced', async () => {
    for (const [fails, there] of [
      [false, 700_000],
      [true, 0],
    ] as const) {
      const sender = new PassThrough();
      const receiving = spool.receive(attempt, member, sender, expected);
      sender.write(bytes.subarray(0, 700_000), () => {
        if (fails) failSync('file');
        sender.destroy();
      });
      if (fails) await expect(receiving).rejects.toThrow(failed);
      else await expect(receiving).rejects.toMatchObject({ code: 'unavailable' });
      expect(await held()).toBe(there);
    }
    await comesAgain();
  });

  it('that goes on, and cannot be synced at its end, starts over from its first byte', async () => {
    const sender = new PassThrough();
    const receiving = spool.receive(attempt, member, sender, expected);
    sender.write(bytes.subarray(0, 700_000), () => sender.destroy());
    await expect(receiving).rejects.toMatchObject({ code: 'unavailable' });
    failSync('file');
    await expect(receive({ offset: 700_000 }, bytes.subarray(700_000))).rejects.toThrow(failed);
    await comesAgain();
  });

  it('of an earlier process is told of only when its name is durable', async () => {
    await receive();
    spool = await openSpoolFolder(folder);
    failSync('folder');
    await expect(receive()).rejects.toThrow(failed);
    await receive();
  });

  it.skipIf(process.platform !== 'linux')(
    'that cannot be read is no conflict, and does not hold its row',
    async () => {
      await receive();
      spool = await openSpoolFolder(folder);
      // Reading its first page fails with EIO, on every Linux (proc(5)).
      rmSync(spool.path(attempt, member));
      symlinkSync('/proc/self/mem', spool.path(attempt, member));
      await expect(receive()).rejects.toThrow(failed);
      await expect(held()).rejects.toThrow(failed);
      expect(await spool.holds(attempt, member, sha256)).toBe(false);
    },
  );
});

it.skipIf(process.platform !== 'linux')('the aggregation worker names a disk that fails, too', () => {
  const file = openFile('/proc/self/mem', null);
  expect(() => file.read(Buffer.alloc(10), 0)).toThrow(failed);
  file.close();
});

describe('a model', () => {
  it.each<[string, () => void]>([
    ['whose sync fails', () => failSync('file')],
    ['whose name cannot be synced', () => failSync('folder')],
  ])('%s is not there, and is written anew', async (_, fail) => {
    const blobs = await openBlobFolder(join(folder, 'blobs'));
    const put = [
      () => blobs.put(bytes),
      () => blobs.receive(Readable.from([bytes]), { sha256, maxBytes: bytes.length }),
    ];
    for (const once of put) {
      fail();
      await expect(once()).rejects.toThrow(failed);
      expect(await readdir(join(folder, 'blobs'))).toEqual([]);
      await once();
      expect((await blobs.read(sha256)).equals(bytes)).toBe(true);
      await blobs.remove(sha256);
      vi.restoreAllMocks();
    }
  });

  it('that is there already is acknowledged only when its name is durable', async () => {
    const blobs = await openBlobFolder(join(folder, 'blobs'));
    await blobs.put(bytes);
    failSync('folder');
    await expect(blobs.put(bytes)).rejects.toThrow(failed);
    expect(await blobs.put(bytes)).toBe(sha256);
  });

  it.skipIf(process.platform !== 'linux')('that cannot be read is told as such', async () => {
    const blobs = await openBlobFolder(join(folder, 'blobs'));
    symlinkSync('/proc/self/mem', blobs.path(sha256));
    await expect(blobs.read(sha256)).rejects.toThrow(failed);
  });
});
