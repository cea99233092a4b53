import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createBlobCache } from './blob-cache.ts';
import { type BlobFolder, openBlobFolder } from './blobs.ts';
import { collectBlobs, GRACE_MS } from './collect.ts';
import { hash, roundRow, runRow } from './fixtures.ts';
import { createMemoryStore } from './memory.ts';

let folder: string;
let blobs: BlobFolder;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-collect-'));
  blobs = await openBlobFolder(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const now = Date.now();
const put = (text: string) => blobs.put(Buffer.from(text));
function age(blob: string, ms: number): void {
  utimesSync(join(folder, blob), new Date(now - ms), new Date(now - ms));
}

it('deletes what nothing names and is older than the grace; models of all rounds stay', async () => {
  const store = createMemoryStore();
  const [initial, head, old] = [await put('model'), await put('head'), await put('model 1')];
  await store.commit({
    epoch: 1,
    runs: [runRow('r1', { initialModel: initial, model: head })],
    rounds: [roundRow('r1', 1)],
  });
  expect(old).toBe(hash('model 1'));
  const [stray, young, held] = [await put('stray'), await put('young'), await put('held')];
  for (const blob of [initial, head, old, stray, held]) age(blob, GRACE_MS + 1000);
  age(young, 1000);
  const cache = createBlobCache(blobs, 1000);
  await cache.get(held);
  expect(await collectBlobs({ store, blobs, isHeld: cache.has, now: () => now })).toEqual([stray]);
  expect(readdirSync(folder).sort()).toEqual([initial, head, old, young, held].sort());
});

it('spares what is uploaded again between the look and the deletion', async () => {
  const blob = await put('model');
  age(blob, GRACE_MS + 1000);
  const [seen] = await blobs.list();
  const body = Readable.from([Buffer.from('model')]);
  expect(await blobs.receive(body, { sha256: blob, maxBytes: 100 })).toBe(5);
  expect(blobs.collect(seen!)).toBe(false);
  expect(await blobs.has(blob)).toBe(true);
});

it('an upload of the same model mends one that rotted on disk', async () => {
  const blob = await put('a model of some bytes');
  for (const mend of [
    () =>
      blobs.receive(Readable.from([Buffer.from('a model of some bytes')]), { sha256: blob, maxBytes: 99 }),
    () => put('a model of some bytes'),
  ]) {
    truncateSync(join(folder, blob), 5);
    await expect(blobs.read(blob)).rejects.toMatchObject({
      code: 'storage-failed',
      remedy: expect.stringContaining('Upload the same model again'),
    });
    await mend();
    expect(String(await blobs.read(blob))).toBe('a model of some bytes');
  }
  expect(statSync(join(folder, blob)).mode & 0o777).toBe(0o600);
});
