/** The Blobs port as a folder of files, each named by its SHA-256. */
import { createHash } from 'node:crypto';
import { existsSync, statSync, unlinkSync, utimesSync } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { extentOf } from '../at-rest/frames.ts';
import { type AtRest, hashOf, readWhole } from '../at-rest/reader.ts';
import { sealWhole } from '../at-rest/sealer.ts';
import {
  asFileError,
  HASH,
  makeFolder,
  PRIVATE_FILE,
  partOf,
  publish,
  removeStrays,
  requireHash,
  syncFolder,
} from './files.ts';
import type { Blobs } from './ports.ts';
import { receiveFile } from './receive.ts';

export interface BlobFolder extends Blobs {
  /** Where the blob lies or would lie, for readers in other threads. @throws malformed */
  path(hash: string): string;
  /** Whether it is there as it was put. */
  isSound(hash: string): Promise<boolean>;
}

/** Opens the folder, makes it if it is missing, and deletes what a crash left. @throws storage-failed */
export async function openBlobFolder(folder: string, key: AtRest = null): Promise<BlobFolder> {
  const pathOf = (hash: string) => join(folder, requireHash(hash));
  try {
    await makeFolder(folder);
    await removeStrays(folder);
  } catch (cause) {
    throw asFileError(cause, `The blob folder ${folder} cannot be used`);
  }

  /** Whether the blob is there already, sound; a damaged one makes way. Counts as put again. */
  async function present(hash: string, path: string): Promise<boolean> {
    if (!existsSync(path)) return false;
    if ((await hashOf(path, key).catch(unlessDamaged)) !== hash) await rm(path, { force: true });
    // Whoever put it may not have come as far.
    await syncFolder(folder);
    // In one step with the test, so that nothing is collected in between.
    if (!existsSync(path)) return false;
    const now = new Date();
    utimesSync(path, now, now);
    return true;
  }

  async function sizeOf(path: string): Promise<number> {
    const { size } = await stat(path);
    return key ? (extentOf(size)?.bytes ?? 0) : size;
  }

  return {
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const path = pathOf(hash);
      try {
        if (await present(hash, path)) return hash;
      } catch (cause) {
        throw asFileError(cause, `Keeping blob ${hash} failed`);
      }
      const part = partOf(path);
      try {
        const handle = await open(part, 'wx', PRIVATE_FILE);
        try {
          const blocks = key ? sealWhole(bytes, { key, path: part, hash: createHash('sha256') }) : [bytes];
          for (const block of blocks) await handle.writeFile(block);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await publish(part, path, 'blob');
        return hash;
      } catch (cause) {
        throw asFileError(cause, `Writing blob ${hash} failed`);
      } finally {
        await rm(part, { force: true });
      }
    },
    async receive(stream, { sha256, maxBytes }) {
      const path = pathOf(sha256);
      try {
        if (await present(sha256, path)) return await sizeOf(path);
      } catch (cause) {
        throw asFileError(cause, `Keeping blob ${sha256} failed`);
      }
      const part = partOf(path);
      const received = await receiveFile(stream, part, maxBytes, key);
      try {
        requireSameHash(received.sha256, sha256);
        await publish(part, path, 'blob');
        return received.bytes;
      } catch (cause) {
        throw asFileError(cause, `Keeping blob ${sha256} failed`);
      } finally {
        await rm(part, { force: true });
      }
    },
    path: pathOf,
    isSound: async (hash) => (await hashOf(pathOf(hash), key).catch(() => null)) === hash,
    has: async (hash) => existsSync(pathOf(hash)),
    async read(hash) {
      const bytes = await readWhole(pathOf(hash), key).catch((cause) => {
        if (cause.code === 'ENOENT') throw new TributaryError('not-found', `There is no blob ${hash}.`);
        if (cause.code === 'EBADMSG') return null;
        throw asFileError(cause, `Reading blob ${hash} failed`);
      });
      if (bytes === null || createHash('sha256').update(bytes).digest('hex') !== hash)
        throw new TributaryError('storage-failed', `Blob ${hash} is corrupt on disk.`, {
          remedy:
            'Upload the same model again (`tributary runs start --weights` does), or copy the file from the folder ' +
            '`blobs` of a backup: its name is its SHA-256.',
        });
      return bytes;
    },
    async list() {
      const names = (await readdir(folder)).filter((name) => HASH.test(name));
      const found = names.map((hash) => ({ hash, put: statSync(join(folder, hash), QUIETLY)?.mtimeMs }));
      return found.flatMap(({ hash, put }) => (put === undefined ? [] : [{ hash, put }]));
    },
    remove: (hash) => rm(pathOf(hash), { force: true }),
    collect({ hash, put }) {
      const path = pathOf(hash);
      if (statSync(path, QUIETLY)?.mtimeMs !== put) return false;
      unlinkSync(path);
      return true;
    },
  };
}

const QUIETLY = { throwIfNoEntry: false } as const;

/** Null for what does not decrypt. */
function unlessDamaged(cause: NodeJS.ErrnoException): null {
  if (cause.code === 'EBADMSG') return null;
  throw cause;
}

/** @throws hash-mismatch */
export function requireSameHash(received: string, promised: string): void {
  if (received !== promised)
    throw new TributaryError(
      'hash-mismatch',
      `The body has SHA-256 ${received}, the request promised ${promised}.`,
    );
}
