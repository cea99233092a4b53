import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBlobCache } from './blob-cache.ts';
import { openBlobFolder } from './blobs.ts';
import { hash as hashText, key } from './fixtures.ts';
import type { Blobs, Spool } from './ports.ts';
import { openSpoolFolder } from './spool.ts';

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const code = (expected: string) => expect.objectContaining({ code: expected });
const PATH_TRICKS = [
  '../../etc/passwd',
  '..',
  '',
  `${'a'.repeat(63)}/`,
  `../${'a'.repeat(61)}`,
  'A'.repeat(64),
  `${'a'.repeat(64)}\0`,
  `${'a'.repeat(64)}\n`,
];
/** Uneven chunks, so that no boundary of ours falls together with theirs. */
function chunked(bytes: Buffer, size = 10_007): Readable {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return Readable.from(chunks);
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-folders-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('blob folder', () => {
  let blobs: Blobs;
  beforeEach(async () => {
    blobs = await openBlobFolder(join(folder, 'blobs'));
  });
  const files = () => readdirSync(join(folder, 'blobs'));

  it('gives back what was put, under its hash, once', async () => {
    const bytes = randomBytes(3_000_001);
    const hash = await blobs.put(bytes);
    expect(hash).toBe(sha(bytes));
    expect(await blobs.put(bytes)).toBe(hash);
    expect((await blobs.read(hash)).equals(bytes)).toBe(true);
    expect(await blobs.has(hash)).toBe(true);
    expect(files()).toEqual([hash]);
    expect(statSync(join(folder, 'blobs', hash)).mode & 0o777).toBe(0o600);
    await blobs.remove(hash);
    await blobs.remove(hash);
    expect(await blobs.has(hash)).toBe(false);
    await expect(blobs.read(hash)).rejects.toThrow(code('not-found'));
  });

  it('receives a stream of any size and chunking', async () => {
    for (const size of [0, 1, 65_536, 524_288, 524_289, 3_000_001]) {
      const bytes = randomBytes(size);
      expect(await blobs.receive(chunked(bytes), { sha256: sha(bytes), maxBytes: size })).toBe(size);
      expect((await blobs.read(sha(bytes))).equals(bytes)).toBe(true);
    }
  });

  it('leaves nothing behind when the hash, the size or the sender fails', async () => {
    const bytes = randomBytes(1_500_000);
    const expected = { sha256: sha(bytes), maxBytes: bytes.length };
    await expect(blobs.receive(chunked(bytes), { ...expected, sha256: hashText('other') })).rejects.toThrow(
      code('hash-mismatch'),
    );
    await expect(blobs.receive(chunked(bytes), { ...expected, maxBytes: 1_499_999 })).rejects.toThrow(
      code('too-large'),
    );
    const broken = new PassThrough();
    const receiving = blobs.receive(broken, expected);
    broken.write(bytes.subarray(0, 700_000));
    setTimeout(() => broken.destroy(new Error('reset')), 20);
    await expect(receiving).rejects.toThrow(code('unavailable'));
    expect(files()).toEqual([]);
  });

  it('stops an endless sender at the limit instead of at the end', async () => {
    let sent = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          sent += 65_536;
          yield Buffer.alloc(65_536);
        }
      })(),
    );
    await expect(blobs.receive(endless, { sha256: hashText('x'), maxBytes: 1_000_000 })).rejects.toThrow(
      code('too-large'),
    );
    expect(sent).toBeLessThan(4_000_000);
    expect(files()).toEqual([]);
  });

  it('refuses path tricks in hashes', async () => {
    for (const trick of PATH_TRICKS) {
      await expect(blobs.read(trick)).rejects.toThrow(code('malformed'));
      await expect(blobs.has(trick)).rejects.toThrow(code('malformed'));
      await expect(blobs.receive(chunked(Buffer.from('x')), { sha256: trick, maxBytes: 9 })).rejects.toThrow(
        code('malformed'),
      );
      await expect((async () => blobs.remove(trick))()).rejects.toThrow(code('malformed'));
    }
  });

  it('reports a blob that rotted on disk instead of serving it', async () => {
    const hash = await blobs.put(randomBytes(1000));
    writeFileSync(join(folder, 'blobs', hash), 'rot');
    await expect(blobs.read(hash)).rejects.toThrow(code('storage-failed'));
  });

  it('deletes at start what a crash left half written', async () => {
    const hash = await blobs.put(randomBytes(10));
    writeFileSync(join(folder, 'blobs', `${hash}.00ff.part`), 'half');
    await openBlobFolder(join(folder, 'blobs'));
    expect(files()).toEqual([hash]);
  });
});

describe('spool folder', () => {
  let spool: Spool;
  const attempt = hashText('attempt');
  const bytes = randomBytes(2_000_003);
  const expected = { sha256: sha(bytes), bytes: bytes.length };
  beforeEach(async () => {
    spool = await openSpoolFolder(join(folder, 'spool'));
  });

  it('keeps an update under attempt and member until the attempt is removed', async () => {
    const member = key();
    await spool.receive(attempt, member, chunked(bytes), expected);
    expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
    expect(await spool.list()).toEqual([attempt]);
    await spool.remove(attempt);
    await spool.remove(attempt);
    expect(await spool.list()).toEqual([]);
  });

  it('takes the same update again without writing, and refuses another', async () => {
    const member = key();
    await spool.receive(attempt, member, chunked(bytes), expected);
    const before = statSync(spool.path(attempt, member));
    await spool.receive(attempt, member, chunked(bytes), expected);
    expect(statSync(spool.path(attempt, member)).ino).toBe(before.ino);
    const other = randomBytes(bytes.length);
    await expect(
      spool.receive(attempt, member, chunked(other), { ...expected, sha256: sha(other) }),
    ).rejects.toThrow(code('conflict'));
    expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
  });

  it('keeps exactly one of two different updates that arrive together', async () => {
    const member = key();
    const other = randomBytes(bytes.length);
    const results = await Promise.allSettled([
      spool.receive(attempt, member, chunked(bytes), expected),
      spool.receive(attempt, member, chunked(other), { ...expected, sha256: sha(other) }),
    ]);
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
    const kept = results[0]!.status === 'fulfilled' ? bytes : other;
    expect(readFileSync(spool.path(attempt, member)).equals(kept)).toBe(true);
    expect(readdirSync(join(folder, 'spool', attempt))).toEqual([member]);
  });

  it('receives many updates at once, whole', async () => {
    const members = Array.from({ length: 40 }, key);
    await Promise.all(members.map((m) => spool.receive(attempt, m, chunked(bytes, 65_536), expected)));
    for (const member of members) expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
  });

  it('leaves nothing behind when an update is too short, too long, altered or broken off', async () => {
    const member = key();
    const receive = (stream: Readable, change: object = {}) =>
      spool.receive(attempt, member, stream, { ...expected, ...change });
    await expect(receive(chunked(bytes), { bytes: bytes.length + 1 })).rejects.toThrow(code('malformed'));
    await expect(receive(chunked(bytes), { bytes: bytes.length - 1 })).rejects.toThrow(code('too-large'));
    await expect(receive(chunked(bytes), { sha256: hashText('x') })).rejects.toThrow(code('hash-mismatch'));
    const gone = new PassThrough();
    gone.destroy();
    await expect(receive(gone)).rejects.toThrow(code('unavailable'));
    expect(await spool.list()).toEqual([]);
  });

  it('fails typed when the attempt is removed during an upload', async () => {
    const slow = new PassThrough();
    const receiving = spool.receive(attempt, key(), slow, expected);
    slow.write(bytes.subarray(0, 1_000_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await spool.remove(attempt);
    slow.end(bytes.subarray(1_000_000));
    await expect(receiving).rejects.toThrow(code('wrong-attempt'));
    expect(await spool.list()).toEqual([]);
  });

  it('refuses path tricks in attempts and members', async () => {
    for (const trick of PATH_TRICKS) {
      expect(() => spool.path(trick, key())).toThrow(code('malformed'));
      expect(() => spool.path(attempt, trick)).toThrow(code('malformed'));
      await expect(spool.receive(trick, key(), chunked(bytes), expected)).rejects.toThrow(code('malformed'));
      await expect((async () => spool.remove(trick))()).rejects.toThrow(code('malformed'));
    }
    expect(existsSync(join(folder, 'etc'))).toBe(false);
  });

  it('deletes at start what a crash left half written, and keeps what was durable', async () => {
    const member = key();
    await spool.receive(attempt, member, chunked(bytes), expected);
    mkdirSync(join(folder, 'spool', hashText('other')));
    writeFileSync(join(folder, 'spool', hashText('other'), `${member}.00.part`), 'half');
    const again = await openSpoolFolder(join(folder, 'spool'));
    expect(await again.list()).toEqual([attempt]);
    expect(readFileSync(again.path(attempt, member)).equals(bytes)).toBe(true);
  });

  it('leaves alone what somebody else has put beside them', async () => {
    writeFileSync(join(folder, 'spool', '.DS_Store'), 'x');
    mkdirSync(join(folder, 'spool', 'lost+found'), { mode: 0 });
    writeFileSync(join(folder, 'spool', 'f'.repeat(64)), 'x');
    const bytes = randomBytes(40);
    await spool.receive(hashText('a'), key(), Readable.from([bytes]), { sha256: sha(bytes), bytes: 40 });
    const again = await openSpoolFolder(join(folder, 'spool'));
    expect(await again.list()).toEqual([hashText('a')]);
    expect(readdirSync(join(folder, 'spool'))).toContain('.DS_Store');
  });
});

describe('blob cache', () => {
  it('reads once for many, and forgets the least recently used beyond its limit', async () => {
    const reads: string[] = [];
    const read = async (hash: string) => {
      reads.push(hash);
      return Buffer.alloc(40);
    };
    const cache = createBlobCache({ read }, 100);
    const [a, b] = await Promise.all([cache.get('a'), cache.get('a')]);
    expect(a).toBe(b);
    await cache.get('b');
    await cache.get('a');
    await cache.get('c');
    await cache.get('a');
    expect(reads).toEqual(['a', 'b', 'c']);
    await cache.get('b');
    expect(reads).toEqual(['a', 'b', 'c', 'b']);
    const fresh = Buffer.alloc(50);
    cache.put('d', fresh);
    expect(await cache.get('d')).toBe(fresh);
    await cache.get('b');
    expect(reads).toEqual(['a', 'b', 'c', 'b']);
  });

  it('forgets the models of old rounds, however small they are', () => {
    const cache = createBlobCache({ read: async () => Buffer.alloc(1) }, 1_000_000);
    for (let round = 0; round < 1000; round++) cache.put(String(round), Buffer.alloc(1));
    const kept = Array.from({ length: 1000 }, (_, round) => round).filter((round) =>
      cache.has(String(round)),
    );
    expect(kept).toEqual(Array.from({ length: 16 }, (_, i) => 984 + i));
  });

  it('serves a blob above its limit, and asks again after a failure', async () => {
    let failing = true;
    const read = async () => {
      if (failing) throw new Error('disk');
      return Buffer.alloc(1000);
    };
    const cache = createBlobCache({ read }, 100);
    await expect(cache.get('a')).rejects.toThrow('disk');
    failing = false;
    expect(await cache.get('a')).toHaveLength(1000);
    expect(await cache.get('a')).toBe(await cache.get('a'));
  });
});
