/**
 * What a loss of power would take away no killed process shows: the page cache outlives it. So the syncs themselves are
 * watched here, each with what had its final name by then; they are carried out as ever.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBlobFolder } from './blobs.ts';
import { openSpoolFolder } from './spool.ts';

const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const bytes = Buffer.from('some bytes that matter');
const sha256 = sha(bytes);
const attempt = sha('attempt');
const member = 'm'.repeat(43);

let folder: string;
/** Synced since `watch`, in order: a file or a folder, and whether the final name was there by then. */
let synced: string[] = [];
let final = '';
let handles: FileHandle;
let original: FileHandle['sync'];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-fsync-'));
  const handle = await open(folder, 'r');
  handles = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  original = handles.sync;
  handles.sync = async function (this: FileHandle) {
    const kind = (await this.stat()).isDirectory() ? 'folder' : 'file';
    synced.push(`${kind} ${existsSync(final) ? 'after' : 'before'} its name`);
    await original.call(this);
  };
});
afterEach(() => {
  handles.sync = original;
  rmSync(folder, { recursive: true, force: true });
});

function watch(path: string): void {
  final = path;
  synced = [];
}

const DURABLE = ['file before its name', 'folder after its name'];

describe('what is acknowledged was synced', () => {
  it('an update: its bytes before its name, its name before the answer', async () => {
    const spool = await openSpoolFolder(folder);
    watch(spool.path(attempt, member));
    await spool.receive(attempt, member, Readable.from([bytes]), { sha256, bytes: bytes.length });
    expect(synced).toEqual(['folder before its name', ...DURABLE]);
  });

  it('what there is of an update that broke off, before anybody is told of it', async () => {
    const spool = await openSpoolFolder(folder);
    watch(spool.path(attempt, member));
    const half = new Readable({ read() {} });
    half.push(bytes.subarray(0, 5));
    setTimeout(() => half.destroy(), 20);
    await expect(spool.receive(attempt, member, half, { sha256, bytes: bytes.length })).rejects.toMatchObject(
      { code: 'unavailable' },
    );
    expect(await spool.held(attempt, member, sha256)).toBe(5);
    expect(synced.at(-1)).toBe('file before its name');
  });

  it('a model: its bytes before its name, its name before the answer', async () => {
    const blobs = await openBlobFolder(folder);
    watch(blobs.path(sha256));
    await blobs.put(bytes);
    expect(synced).toEqual(DURABLE);
  });

  it('a model that is uploaded: the same', async () => {
    const blobs = await openBlobFolder(folder);
    watch(blobs.path(sha256));
    await blobs.receive(Readable.from([bytes]), { sha256, maxBytes: 1000 });
    expect(synced).toEqual(DURABLE);
  });
});
