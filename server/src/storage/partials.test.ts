import { createHash, randomBytes } from 'node:crypto';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hash as hashText, key } from './fixtures.ts';
import type { ResumableSpool } from './ports.ts';
import { openSpoolFolder } from './spool.ts';

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const code = (expected: string) => expect.objectContaining({ code: expected });
const attempt = hashText('attempt');
const bytes = randomBytes(1_500_001);
const expected = { sha256: sha(bytes), bytes: bytes.length };
const member = key();

let folder: string;
let spool: ResumableSpool;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-partials-'));
  spool = await openSpoolFolder(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = (of = attempt) => readdirSync(join(folder, of));
const part = () => join(folder, attempt, `${member}.${expected.sha256}.part`);
const held = () => spool.held(attempt, member, expected.sha256);
const goOn = (offset: number, what = bytes.subarray(offset)) =>
  spool.receive(attempt, member, Readable.from([what]), { ...expected, offset });
async function breakOff(head: Buffer, offset = 0): Promise<void> {
  const sender = new PassThrough();
  const receiving = spool.receive(attempt, member, sender, { ...expected, offset });
  sender.write(head, () => sender.destroy(new Error('reset')));
  await expect(receiving).rejects.toThrow(code('unavailable'));
}
const restart = async () => {
  spool = await openSpoolFolder(folder);
};

describe('an update that broke off', () => {
  it('goes on, breaks off again, and ends whole', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    await breakOff(bytes.subarray(300_000, 1_000_000), 300_000);
    expect(await held()).toBe(1_000_000);
    await goOn(1_000_000);
    expect(await held()).toBe('all');
    expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
    expect(files()).toEqual([member]);
  });

  it('is there after a restart of the coordinator, and what is left of it is read again', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    await restart();
    expect(await spool.list()).toEqual([attempt]);
    expect(await held()).toBe(300_000);
    await breakOff(bytes.subarray(300_000, 700_000), 300_000);
    await restart();
    await goOn(700_000);
    expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
  });

  it('needs no byte more when the crash was between the last one and its name', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    writeFileSync(part(), bytes);
    await restart();
    expect(await held()).toBe(bytes.length);
    await goOn(bytes.length);
    expect(await held()).toBe('all');
  });

  it('starts over when the disk lost or changed bytes that were never acknowledged as the whole', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    truncateSync(part(), 200_000);
    await restart();
    expect(await held()).toBe(200_000);
    await expect(goOn(300_000)).rejects.toThrow(code('wrong-offset'));
    writeFileSync(part(), Buffer.alloc(200_000));
    await expect(goOn(200_000)).rejects.toThrow(code('hash-mismatch'));
    expect(await held()).toBe(0);
    expect(files()).toEqual([]);
    await goOn(0);
    expect(await held()).toBe('all');
  });

  it.skipIf(process.platform === 'win32')('is for its owner only, whatever the umask', async () => {
    const open = () =>
      readdirSync(folder, { recursive: true })
        .map((path) => join(folder, String(path)))
        .filter((path) => (statSync(path).mode & 0o077) !== 0);
    const before = process.umask(0);
    try {
      await breakOff(bytes.subarray(0, 300_000));
      expect([files().length, open()]).toEqual([1, []]);
      await goOn(300_000);
      expect([files(), open()]).toEqual([[member], []]);
    } finally {
      process.umask(before);
    }
  });

  it('keeps what it has when the next sender is gone before its turn', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    const gone = new PassThrough();
    gone.destroy();
    await expect(spool.receive(attempt, member, gone, expected)).rejects.toThrow(code('unavailable'));
    expect(await held()).toBe(300_000);
  });

  it('is one for each member: another hash is refused while it stands, before a restart and after', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    for (let time = 0; time < 2; time++) {
      const other = randomBytes(bytes.length);
      const change = { sha256: sha(other), bytes: other.length };
      await expect(spool.receive(attempt, member, Readable.from([other]), change)).rejects.toThrow(
        code('conflict'),
      );
      await expect(spool.held(attempt, member, sha(other))).rejects.toThrow(code('conflict'));
      await restart();
    }
    expect(files()).toHaveLength(1);
    expect(await held()).toBe(300_000);
  });

  it('leaves nothing once its attempt is removed, also while it is being written', async () => {
    await breakOff(bytes.subarray(0, 300_000));
    const sender = new PassThrough();
    const receiving = spool.receive(attempt, member, sender, { ...expected, offset: 300_000 });
    sender.write(bytes.subarray(300_000, 500_000));
    await expect.poll(() => sender.readableLength).toBe(0);
    await spool.remove(attempt);
    sender.destroy();
    await expect(receiving).rejects.toThrow(code('wrong-attempt'));
    expect(await spool.list()).toEqual([]);
    expect(await held()).toBe(0);
  });

  it('waits for the one before it, and finds what that one brought', async () => {
    const first = new PassThrough();
    const one = spool.receive(attempt, member, first, expected);
    first.write(bytes.subarray(0, 300_000));
    const two = spool.receive(attempt, member, Readable.from([bytes.subarray(300_000)]), {
      ...expected,
      offset: 300_000,
    });
    const whole = spool.receive(attempt, member, Readable.from([bytes]), expected);
    await expect.poll(() => first.readableLength).toBe(0);
    first.destroy();
    await expect(one).rejects.toThrow(code('unavailable'));
    await two;
    await whole;
    expect(readFileSync(spool.path(attempt, member)).equals(bytes)).toBe(true);
    expect(files()).toEqual([member]);
  });
});

describe('an update for an attempt that is over', () => {
  const over = code('wrong-attempt');
  const nothing = () => expect(readdirSync(folder)).toEqual([]);

  it('is refused, and leaves nothing', async () => {
    await spool.remove(attempt);
    await expect(goOn(0)).rejects.toThrow(over);
    nothing();
  });

  it('leaves nothing when the end comes in the middle of it, nor does the next one that waited for it', async () => {
    const sender = new PassThrough();
    const receiving = expect(spool.receive(attempt, member, sender, expected)).rejects.toThrow(over);
    const waiting = expect(goOn(0)).rejects.toThrow(over);
    sender.write(bytes.subarray(0, 300_000));
    await expect.poll(() => readdirSync(folder)).toEqual([attempt]);
    await spool.remove(attempt);
    sender.end(bytes.subarray(300_000));
    await Promise.all([receiving, waiting]);
    nothing();
  });

  it('leaves nothing when the end comes before its folder is there', async () => {
    const receiving = expect(goOn(0)).rejects.toThrow(over);
    await spool.remove(attempt);
    await receiving;
    nothing();
  });
});
