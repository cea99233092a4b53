/** Copies whose hash is known, and folders that appear whole or not at all. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { type AtRest, openChunks } from '../at-rest/reader.ts';
import { createSealer } from '../at-rest/sealer.ts';
import { asFileError, isPartOf, PRIVATE_FILE, partOf, syncFolder } from '../storage/files.ts';

export interface Copied {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Durable, for the owner only.
 * @param keys decrypt or encrypt on the way; without, the bytes stay as they are
 * @returns what the original has, decrypted if there is a key for it
 * @throws storage-failed
 */
export async function copyPrivate(
  from: string,
  to: string,
  keys: { readonly source: AtRest; readonly target: AtRest } = { source: null, target: null },
): Promise<Copied> {
  const { source, target: key } = keys;
  const hash = createHash('sha256');
  const sealer = key && createSealer({ key, path: to, hash: createHash('sha256') });
  let bytes = 0;
  try {
    const target = await open(to, 'wx', PRIVATE_FILE);
    try {
      const chunks = source ? openChunks(from, source) : createReadStream(from, { highWaterMark: 1 << 20 });
      for await (const chunk of chunks as AsyncIterable<Buffer>) {
        hash.update(chunk);
        bytes += chunk.length;
        await target.writeFile(sealer ? Buffer.concat(sealer.push(chunk)) : chunk);
      }
      if (sealer) await target.writeFile(Buffer.concat(sealer.end()));
      await target.sync();
    } finally {
      await target.close();
    }
  } catch (cause) {
    throw asFileError(cause, `Copying ${from} failed`);
  }
  return { bytes, sha256: hash.digest('hex') };
}

/**
 * What is wrong with it before it is read: a pipe or a device in the place of a file has no end. Null, too, for what is
 * missing, which whoever reads it is told.
 */
export async function misfit(path: string, bytes: number): Promise<string | null> {
  const found = await stat(path).catch(() => null);
  if (!found || (found.isFile() && found.size === bytes)) return null;
  return found.isFile() ? `${found.size} bytes; the manifest says ${bytes}` : 'no regular file';
}

/** @throws conflict unless the folder is missing or empty */
export async function requireEmpty(folder: string, remedy: string): Promise<void> {
  const names = await readdir(folder).catch((cause) => {
    if (cause.code === 'ENOENT') return [];
    throw asFileError(cause, `${folder} cannot be used`);
  });
  if (names.length > 0) throw new TributaryError('conflict', `${folder} is not empty.`, { remedy });
}

/**
 * Folders beside `folder` that a `backup` or `restore` of this name left when it was killed. Another one may be writing in
 * them, so they are named and not deleted.
 */
export async function leftoversOf(folder: string): Promise<string[]> {
  const names = await readdir(dirname(folder)).catch(() => []);
  return names.filter((name) => isPartOf(name, basename(folder))).map((name) => join(dirname(folder), name));
}

export const LEFTOVER_REMEDY =
  'They can hold the coordinator’s private key: delete them when no other backup or restore is running.';

/** Lets `fill` fill a folder beside `folder`, which then takes its name. A failure leaves nothing behind. */
export async function makeWhole<T>(folder: string, fill: (part: string) => Promise<T>): Promise<T> {
  const part = partOf(folder);
  try {
    await mkdir(dirname(folder), { recursive: true });
    await mkdir(part, { mode: 0o700 });
    const result = await fill(part);
    await syncFolder(part);
    await rename(part, folder);
    await syncFolder(dirname(folder));
    return result;
  } catch (cause) {
    throw asFileError(cause, `Making ${folder} failed`);
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}
