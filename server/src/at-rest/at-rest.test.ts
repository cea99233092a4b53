import { createHash, randomBytes } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BlobFolder, openBlobFolder } from '../storage/blobs.ts';
import type { ResumableSpool } from '../storage/ports.ts';
import { openSpoolFolder } from '../storage/spool.ts';
import { extentOf, FRAME, frameAt, HEADER, SEALED_FRAME } from './frames.ts';
import { type BlobKey, makeKeyFile } from './key.ts';
import { openFile } from './reader.ts';

const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const code = (expected: string) => expect.objectContaining({ code: expected });
const refusal = (message: RegExp, remedy: RegExp) =>
  expect.objectContaining({
    code: 'storage-failed',
    message: expect.stringMatching(message),
    remedy: expect.stringMatching(remedy),
  });
function chunked(bytes: Buffer, size = 10_007): Readable {
  const at = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => i * size);
  return Readable.from(at.map((start) => bytes.subarray(start, start + size)));
}

let home: string;
let key: BlobKey;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'tributary-at-rest-'));
  key = await makeKeyFile(join(home, 'blobs.key'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

describe('encrypted models', () => {
  let blobs: BlobFolder;
  beforeEach(async () => {
    blobs = await openBlobFolder(join(home, 'blobs'), key);
  });

  it('come back as they were, whatever their size and chunks; the disk holds nothing of them', async () => {
    for (const size of [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 1_500_001]) {
      const bytes = Buffer.alloc(size, 'a secret model ');
      const expected = { sha256: sha(bytes), maxBytes: size };
      expect(await blobs.put(bytes)).toBe(expected.sha256);
      expect((await blobs.read(expected.sha256)).equals(bytes)).toBe(true);
      const onDisk = readFileSync(blobs.path(expected.sha256));
      expect(onDisk.includes('secret')).toBe(false);
      expect(extentOf(onDisk.length)?.bytes).toBe(size);
      // There already, and anew.
      for (let time = 0; time < 2; time++) {
        expect(await blobs.receive(chunked(bytes), expected)).toBe(size);
        expect((await blobs.read(expected.sha256)).equals(bytes)).toBe(true);
        await blobs.remove(expected.sha256);
      }
    }
  });

  it('that were put twice are no two equal files', async () => {
    const hash = await blobs.put(Buffer.from('model'));
    const before = readFileSync(blobs.path(hash));
    await blobs.remove(hash);
    await blobs.put(Buffer.from('model'));
    expect(readFileSync(blobs.path(hash)).equals(before)).toBe(false);
  });

  it('are read from any place, as the aggregation worker does', async () => {
    const bytes = randomBytes(3 * FRAME + 1000);
    const file = openFile(blobs.path(await blobs.put(bytes)), key);
    expect(file.size).toBe(bytes.length);
    for (const [at, length] of [
      [0, 8],
      [8, 300],
      [FRAME - 1, 2],
      [FRAME, FRAME],
      [100, 2 * FRAME],
      [2 * FRAME + 5, 2 * FRAME],
      [bytes.length - 1, 10],
      [bytes.length, 10],
    ] as const) {
      const into = Buffer.alloc(length);
      const read = file.read(into, at);
      expect(read).toBe(Math.min(length, bytes.length - at));
      expect(into.subarray(0, read).equals(bytes.subarray(at, at + read))).toBe(true);
    }
    file.close();
  });

  const bytes = randomBytes(3 * FRAME);
  const hash = sha(bytes);
  const swap = (file: Buffer, a: number, b: number) => {
    const frame = (index: number) => Buffer.from(file.subarray(frameAt(index), frameAt(index + 1)));
    const [one, other] = [frame(a), frame(b)];
    other.copy(file, frameAt(a));
    one.copy(file, frameAt(b));
    return file;
  };
  const flip = (file: Buffer, at: number) => {
    file[at] = file[at]! ^ 1;
    return file;
  };
  it.each<[string, (file: Buffer) => Buffer]>([
    ['a changed bit of text', (file) => flip(file, frameAt(1) + 500)],
    ['a changed bit of a nonce', (file) => flip(file, frameAt(1))],
    ['a changed bit of the last tag', (file) => flip(file, file.length - 1)],
    ['a changed salt', (file) => flip(file, 20)],
    ['a changed version', (file) => flip(file, 7)],
    ['no last frame', (file) => file.subarray(0, frameAt(2))],
    ['half a last frame', (file) => file.subarray(0, frameAt(2) + 9000)],
    ['a last frame cut to less than a tag', (file) => file.subarray(0, frameAt(2) + 9)],
    ['a frame too many', (file) => Buffer.concat([file, file.subarray(frameAt(2))])],
    ['no first frame', (file) => Buffer.concat([file.subarray(0, HEADER), file.subarray(frameAt(1))])],
    ['two frames in each other’s place', (file) => swap(file, 0, 1)],
    ['the last frame in another place', (file) => swap(file, 1, 2)],
    ['nothing', () => Buffer.alloc(0)],
    ['the header alone', (file) => file.subarray(0, HEADER)],
    ['the bytes as they were', () => bytes],
  ])('with %s on disk are damaged to every reader', async (_, change) => {
    await blobs.put(bytes);
    const path = blobs.path(hash);
    writeFileSync(path, change(readFileSync(path)));
    await expect(blobs.read(hash)).rejects.toThrow(refusal(/is corrupt on disk/, /Upload the same model/));
    expect(await blobs.isSound(hash)).toBe(false);
    expect(() => {
      const file = openFile(path, key);
      const into = Buffer.alloc(FRAME);
      try {
        for (let at = 0; file.read(into, at) > 0; at += FRAME);
      } finally {
        file.close();
      }
    }).toThrow(refusal(/it is damaged/, /tributary-server check/));
    await blobs.put(bytes);
    expect((await blobs.read(hash)).equals(bytes)).toBe(true);
  });

  it('in each other’s place, or of another key, are damaged, too', async () => {
    const other = await blobs.put(randomBytes(bytes.length));
    await blobs.put(bytes);
    copyFileSync(blobs.path(other), blobs.path(hash));
    await expect(blobs.read(hash)).rejects.toThrow(code('storage-failed'));
    const another = await openBlobFolder(join(home, 'blobs'), await makeKeyFile(join(home, 'another.key')));
    expect([await blobs.isSound(other), await another.isSound(other)]).toEqual([true, false]);
  });
});

describe('an encrypted update', () => {
  const attempt = sha('attempt');
  const member = 'm'.repeat(43);
  const bytes = randomBytes(5 * FRAME);
  const expected = { sha256: sha(bytes), bytes: bytes.length };
  let spool: ResumableSpool;
  const restart = async () => {
    spool = await openSpoolFolder(join(home, 'spool'), key);
  };
  beforeEach(restart);

  const part = () => `${spool.path(attempt, member)}.${expected.sha256}.part`;
  const held = () => spool.held(attempt, member, expected.sha256);
  const goOn = (offset: number) =>
    spool.receive(attempt, member, chunked(bytes.subarray(offset)), { ...expected, offset });
  async function breakOff(from: number, to: number): Promise<void> {
    const sender = new PassThrough();
    const receiving = spool.receive(attempt, member, sender, { ...expected, offset: from });
    sender.write(bytes.subarray(from, to), () => sender.destroy(new Error('reset')));
    await expect(receiving).rejects.toThrow(code('unavailable'));
  }
  function requireWhole(): void {
    const file = openFile(spool.path(attempt, member), key);
    const read = Buffer.alloc(bytes.length);
    expect([file.size, file.read(read, 0)]).toEqual([bytes.length, bytes.length]);
    file.close();
    expect(read.equals(bytes)).toBe(true);
    expect(readdirSync(join(home, 'spool', attempt))).toEqual([member]);
  }

  it('goes on from its last whole frame, in this process and the next ones, and ends whole', async () => {
    await breakOff(0, 2 * FRAME + 100);
    expect(await held()).toBe(2 * FRAME);
    expect(statSync(part()).size).toBe(frameAt(2));
    await breakOff(2 * FRAME, 4 * FRAME);
    expect(await held()).toBe(3 * FRAME);
    await restart();
    expect(await held()).toBe(3 * FRAME);
    await expect(goOn(2 * FRAME)).rejects.toThrow(code('wrong-offset'));
    await breakOff(3 * FRAME, 5 * FRAME);
    await goOn(4 * FRAME);
    requireWhole();
    await restart();
    expect(await spool.holds(attempt, member, expected.sha256)).toBe(true);
    expect(await held()).toBe('all');
  });

  it('of which no frame is whole starts over, and leaves nothing', async () => {
    await breakOff(0, FRAME);
    expect([await held(), readdirSync(join(home, 'spool', attempt))]).toEqual([0, []]);
    await goOn(0);
    requireWhole();
  });

  it.each<[string, number, (file: Buffer) => Buffer]>([
    ['torn in a frame', 2, (file) => file.subarray(0, frameAt(3) - 5)],
    ['with a changed frame', 1, (file) => file.fill(0, frameAt(1) + 40, frameAt(1) + 41)],
    ['with zeros where nothing came', 3, (file) => Buffer.concat([file, Buffer.alloc(SEALED_FRAME)])],
    ['with a changed first frame', 0, (file) => file.fill(0, HEADER, HEADER + 12)],
    ['that is no such file', 0, () => Buffer.alloc(2000)],
  ])('%s counts as far as its frames authenticate, after a crash', async (_, frames, change) => {
    await breakOff(0, 3 * FRAME + 100);
    writeFileSync(part(), change(readFileSync(part())));
    await restart();
    expect(await held()).toBe(frames * FRAME);
    await goOn(frames * FRAME);
    requireWhole();
  });

  it('that was whole but had not got its name when the coordinator died sends its last frame again', async () => {
    await goOn(0);
    renameSync(spool.path(attempt, member), part());
    await restart();
    expect(await held()).toBe(4 * FRAME);
    await goOn(4 * FRAME);
    requireWhole();
  });

  it('never has two frames under one nonce, though the same place is written twice', async () => {
    const nonce = () =>
      readFileSync(part())
        .subarray(frameAt(1), frameAt(1) + 12)
        .toString('hex');
    await breakOff(0, 2 * FRAME + 1);
    const first = nonce();
    truncateSync(part(), frameAt(2) - 1);
    await restart();
    await breakOff(FRAME, 2 * FRAME + 1);
    expect(nonce()).not.toBe(first);
  });

  it('in the place of another member’s, or of another attempt’s, is not taken for it', async () => {
    await goOn(0);
    const other = 'o'.repeat(43);
    copyFileSync(spool.path(attempt, member), spool.path(attempt, other));
    expect(await spool.holds(attempt, other, expected.sha256)).toBe(false);
    const later = sha('later');
    mkdirSync(join(home, 'spool', later));
    copyFileSync(spool.path(attempt, member), spool.path(later, member));
    expect(await spool.holds(later, member, expected.sha256)).toBe(false);
  });
});
