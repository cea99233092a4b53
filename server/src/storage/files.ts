/** What blobs and spool share: private files that are durable once they bear their name, and typed faults. */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { crashPoint, type FileKind } from '@tributary/protocol/node';
import { storageFault } from './faults.ts';

/** Ends the names of files that are still being written. */
export const PART = '.part';
/** Only the coordinator's own user may read what partners send. */
export const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

export const HASH = /^[0-9a-f]{64}$/;
const KEY = /^[A-Za-z0-9_-]{43}$/;

/** @returns `text`, safe as a file name. @throws malformed, so that nothing climbs out of its folder. */
export function requireHash(text: string): string {
  if (HASH.test(text)) return text;
  throw new TributaryError('malformed', `Not a SHA-256 in lower-case hex: ${preview(text)}.`);
}

/** @returns `text`, safe as a file name. @throws malformed */
export function requireKey(text: string): string {
  if (KEY.test(text)) return text;
  throw new TributaryError('malformed', `Not an identity key in base64url: ${preview(text)}.`);
}

function preview(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** A name beside `path` that no other writer has, and that `removeStrays` finds after a crash. */
export function partOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}${PART}`;
}

/** Whether `partOf` made this name for one called `whole`. */
export function isPartOf(name: string, whole: string): boolean {
  return name.startsWith(`${whole}.`) && /^\.[0-9a-f]{12}\.part$/.test(name.slice(whole.length));
}

/** Makes the folder, durably. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
  if (first) await syncFolder(dirname(first));
}

/** Deletes what a crash left half written. Only at start: nobody may be writing. */
export async function removeStrays(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name.endsWith(PART)) await rm(join(folder, name));
}

/**
 * Gives a synced file its final name, durably, unless the name is taken.
 * @returns whether it did. Test and rename are one step of this process, the only one that writes in the folder.
 */
export async function publish(part: string, path: string, kind: FileKind): Promise<boolean> {
  if (existsSync(path)) return false;
  crashPoint(`coordinator.${kind}.synced`);
  renameSync(part, path);
  crashPoint(`coordinator.${kind}.renamed`);
  try {
    await syncFolder(dirname(path));
  } catch (cause) {
    // The kernel tells of a failed fsync once: a second one would say that all is well. So it starts over, with new bytes.
    await rm(path, { force: true }).catch(() => {});
    throw cause;
  }
  return true;
}

/** A new name is durable only when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders; NTFS journals names by itself.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Faults of the file system as storage-failed; what is typed already passes. */
export function asFileError(cause: unknown, what: string): TributaryError {
  const { path } = (cause ?? {}) as { path?: unknown };
  return storageFault(what, cause, typeof path === 'string' ? folderOf(path) : 'DIR');
}

/** What commands take as --data: not the folders in it. */
function folderOf(path: string): string {
  return dirname(path).replace(/\/(?:blobs|spool(?:\/[0-9a-f]+)?)$/, '');
}
