/** The Blobs port as a folder of files, each named by its SHA-256. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import {
  asFileError,
  makeFolder,
  PRIVATE_FILE,
  partOf,
  publish,
  removeStrays,
  requireHash,
} from './files.ts';
import type { Blobs } from './ports.ts';
import { receiveFile } from './receive.ts';

export interface BlobFolder extends Blobs {
  /** Where the blob lies or would lie, for readers in other threads. @throws malformed */
  path(hash: string): string;
}

/** Opens the folder, makes it if it is missing, and deletes what a crash left. @throws storage-failed */
export async function openBlobFolder(folder: string): Promise<BlobFolder> {
  const pathOf = (hash: string) => join(folder, requireHash(hash));
  try {
    await makeFolder(folder);
    await removeStrays(folder);
  } catch (cause) {
    throw asFileError(cause, `The blob folder ${folder} cannot be used`);
  }

  return {
    async put(bytes) {
      const hash = createHash('sha256').update(bytes).digest('hex');
      const path = pathOf(hash);
      if (existsSync(path)) return hash;
      const part = partOf(path);
      try {
        const handle = await open(part, 'wx', PRIVATE_FILE);
        try {
          await handle.writeFile(bytes);
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
      if (existsSync(path)) return (await stat(path)).size;
      const part = partOf(path);
      const received = await receiveFile(stream, part, maxBytes);
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
    has: async (hash) => existsSync(pathOf(hash)),
    async read(hash) {
      const bytes = await readFile(pathOf(hash)).catch((cause) => {
        if (cause.code === 'ENOENT') throw new TributaryError('not-found', `There is no blob ${hash}.`);
        throw asFileError(cause, `Reading blob ${hash} failed`);
      });
      if (createHash('sha256').update(bytes).digest('hex') !== hash)
        throw new TributaryError('storage-failed', `Blob ${hash} is corrupt on disk.`);
      return bytes;
    },
    remove: (hash) => rm(pathOf(hash), { force: true }),
  };
}

/** @throws hash-mismatch */
export function requireSameHash(received: string, promised: string): void {
  if (received !== promised)
    throw new TributaryError(
      'hash-mismatch',
      `The body has SHA-256 ${received}, the request promised ${promised}.`,
    );
}
