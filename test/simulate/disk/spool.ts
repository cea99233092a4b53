/**
 * `storage/spool.ts` and `storage/partials.ts` again, on the simulated disk: theirs are one with the file system. What is
 * not synced at a death may be lost, byte by byte from the end.
 */
import type { Readable } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import type { ResumableSpool } from '@tributary/server/parts';
import type { Life, Ports } from '../process.ts';
import { type Disk, type PartialFile, sha256 } from './disk.ts';

export function createSpool(disk: Disk, life: Life, ports: Ports): ResumableSpool {
  /** Paths that somebody writes, until they are free again. */
  const busy = new Map<string, Promise<void>>();
  const removed = new Set<string>();
  const over = (attempt: string) => new TributaryError('wrong-attempt', `Attempt ${attempt} is over.`);

  function requireFirst(path: string, hash: string): void {
    const other = disk.partials.get(path)?.sha256 ?? sha256(disk.spool.get(path)!);
    if (other !== hash)
      throw new TributaryError('conflict', 'Another update was sent before: the first one counts.');
  }

  async function free(path: string, hash: string): Promise<void> {
    for (let other = busy.get(path); other; other = busy.get(path)) {
      if (disk.partials.has(path)) requireFirst(path, hash);
      await other;
    }
  }

  return {
    async receive(attempt, member, stream, { sha256: hash, bytes, offset = 0 }) {
      const path = `${attempt}/${member}`;
      await free(path, hash);
      if (removed.has(attempt)) throw over(attempt);
      if (disk.spool.has(path)) return requireFirst(path, hash);
      const begun = disk.partials.get(path);
      if (begun) requireFirst(path, hash);
      if (offset > 0 && offset !== (begun?.bytes.length ?? 0))
        throw new TributaryError(
          'wrong-offset',
          `${begun?.bytes.length ?? 0} bytes are there, not ${offset}.`,
        );
      let done = (): void => {};
      busy.set(
        path,
        new Promise((resolve) => {
          done = resolve;
        }),
      );
      const partial: PartialFile = begun ?? { sha256: hash, bytes: new Uint8Array(0), synced: 0 };
      if (offset === 0) Object.assign(partial, { bytes: new Uint8Array(0), synced: 0 });
      disk.partials.set(path, partial);
      let keep = false;
      try {
        const broken = await pump(stream, life, partial, bytes);
        await ports.call(life, 'spool.sync', (torn) => {
          if (!torn) partial.synced = partial.bytes.length;
        });
        if (broken) {
          keep = partial.bytes.length > 0;
          throw new TributaryError(
            'unavailable',
            `The sender broke off after ${partial.bytes.length} bytes.`,
          );
        }
        if (partial.bytes.length !== bytes) throw new TributaryError('malformed', 'The update is too short.');
        if (sha256(partial.bytes) !== hash)
          throw new TributaryError('hash-mismatch', 'The update is another one.');
        const rename = (torn: boolean): void => {
          if (torn || removed.has(attempt)) return;
          disk.spool.set(path, partial.bytes);
          disk.partials.delete(path);
        };
        await ports.call(life, 'spool.publish', rename, { writes: true });
        if (removed.has(attempt)) throw over(attempt);
      } catch (thrown) {
        throw removed.has(attempt) ? over(attempt) : thrown;
      } finally {
        if (life.alive && (!keep || removed.has(attempt))) disk.partials.delete(path);
        busy.delete(path);
        done();
      }
    },
    async held(attempt, member, hash) {
      const path = `${attempt}/${member}`;
      await free(path, hash);
      if (!disk.spool.has(path) && !disk.partials.has(path)) return 0;
      requireFirst(path, hash);
      return disk.spool.has(path) ? 'all' : disk.partials.get(path)!.synced;
    },
    path: (attempt, member) => `${attempt}/${member}`,
    holds: (attempt, member, hash) =>
      ports.call(life, 'spool.holds', () => {
        const bytes = disk.spool.get(`${attempt}/${member}`);
        return bytes !== undefined && sha256(bytes) === hash;
      }),
    remove: (attempt) => {
      removed.add(attempt);
      const effect = (torn: boolean) => {
        for (const files of [disk.spool, disk.partials]) {
          const inside = [...files.keys()].filter((path) => path.startsWith(`${attempt}/`));
          for (const path of torn ? inside.slice(1) : inside) files.delete(path);
        }
      };
      return ports.call(life, 'spool.remove', effect, { writes: true });
    },
    list: () =>
      ports.call(life, 'spool.list', () => [
        ...new Set([...disk.spool.keys(), ...disk.partials.keys()].map((path) => path.slice(0, 64))),
      ]),
  };
}

/** What comes is in the file at once, and not yet synced. @returns whether the sender broke off. @throws too-large */
function pump(stream: Readable, life: Life, partial: PartialFile, most: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Uint8Array) => {
      if (!life.alive) return;
      partial.bytes = Buffer.concat([partial.bytes, chunk]);
      if (partial.bytes.length > most) reject(new TributaryError('too-large', 'The update is too long.'));
    });
    stream.on('error', () => {});
    stream.on('close', () => resolve(!stream.readableEnded));
    if (stream.destroyed) resolve(true);
  });
}
