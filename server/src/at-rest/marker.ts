/**
 * `encryption.json` in a data folder or a backup says that its models and updates are encrypted, and under which key. It
 * is decided when the folder is made, and stays: `restore` makes another folder, in the other way.
 */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { asFileError, PRIVATE_FILE, syncFolder } from '../storage/files.ts';
import { HEADER, saltOf } from './frames.ts';
import { type BlobKey, readKeyFile, requireApart } from './key.ts';
import type { AtRest } from './reader.ts';

export const MARKER_FILE = 'encryption.json';
const FORMAT = 'tributary-encryption';
const VERSION = 1;
const GIVE = 'Give its key: `--encrypt-blobs KEYFILE`, or the variable TRIBUTARY_ENCRYPT_BLOBS.';

/**
 * What a coordinator uses in this folder; a new folder becomes what the key file says. The caller holds the folder's lock.
 * @throws storage-failed
 */
export async function settleEncryption(folder: string, keyFile: string | undefined): Promise<AtRest> {
  if (keyFile !== undefined) await requireApart(keyFile, folder);
  const key = keyFile === undefined ? null : await readKeyFile(keyFile);
  const marked = await readMarker(folder);
  if (marked !== null) {
    if (key) return requireKey(key, marked, folder);
    throw refused(`The models and updates in ${folder} are encrypted under key ${marked}.`, GIVE);
  }
  const kept = await used(folder);
  if (kept === 'encrypted')
    throw refused(
      `Models in ${folder} are encrypted, but ${MARKER_FILE} is missing.`,
      `Copy it from a backup. Or start a coordinator with the same key in a new folder, stop it, and take that one's.`,
    );
  if (key && kept === 'plain')
    throw refused(
      `${folder} is in use, and not encrypted.`,
      `Stop the coordinator, then \`tributary-server backup --data ${folder} --out BACKUP\` and ` +
        '`tributary-server restore --from BACKUP --data NEW --encrypt-blobs KEYFILE`; delete the old folder and the backup when the new one runs.',
    );
  if (key) await writeMarker(folder, key);
  return key;
}

export interface Encryption {
  /** The id of the key; null when nothing is encrypted. */
  readonly marked: string | null;
  /** Null when it was not given, or is of no use. */
  readonly key: AtRest;
}

/** For commands that only look at a data folder or a backup. @throws storage-failed (another key) */
export async function encryptionOf(folder: string, keyFile: string | undefined): Promise<Encryption> {
  const marked = await readMarker(folder);
  if (marked === null || keyFile === undefined) return { marked, key: null };
  return { marked, key: requireKey(await readKeyFile(keyFile), marked, folder) };
}

export function requireKey(key: BlobKey, marked: string, folder: string, remedy = GIVE): BlobKey {
  if (key.id === marked) return key;
  throw refused(`The key given is ${key.id}; ${folder} is encrypted under ${marked}.`, remedy);
}

/** @returns the id of the key; null when the folder is not encrypted. @throws storage-failed */
export async function readMarker(folder: string): Promise<string | null> {
  const path = join(folder, MARKER_FILE);
  const text = await readFile(path, 'utf8').catch((cause) => {
    if (cause.code === 'ENOENT') return null;
    throw asFileError(cause, `${path} cannot be read`);
  });
  if (text === null) return null;
  try {
    const { format, version, key } = JSON.parse(text);
    if (format === FORMAT && version === VERSION && /^[0-9a-f]{32}$/.test(key)) return key;
  } catch {
    // Told below.
  }
  throw refused(`${path} is damaged.`, 'Copy it from a backup of this folder: it never changes.');
}

export async function writeMarker(folder: string, key: BlobKey): Promise<void> {
  const path = join(folder, MARKER_FILE);
  const part = `${path}.part`;
  try {
    const handle = await open(part, 'w', PRIVATE_FILE);
    try {
      await handle.writeFile(`${JSON.stringify({ format: FORMAT, version: VERSION, key: key.id })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, path);
    await syncFolder(folder);
  } catch (cause) {
    throw asFileError(cause, `Writing ${path} failed`);
  } finally {
    await rm(part, { force: true });
  }
}

/** What lies in the folder already. */
async function used(folder: string): Promise<'encrypted' | 'plain' | 'new'> {
  try {
    const names = await readdir(join(folder, 'blobs'));
    const [first] = names;
    if (first === undefined) return (await readdir(join(folder, 'spool'))).length > 0 ? 'plain' : 'new';
    return (await isEncrypted(join(folder, 'blobs', first))) ? 'encrypted' : 'plain';
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 'new';
    throw asFileError(cause, `${folder} cannot be read`);
  }
}

/** As its beginning says; no key is needed. */
export async function isEncrypted(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER), 0, HEADER, 0);
    return saltOf(buffer.subarray(0, bytesRead)) !== null;
  } finally {
    await handle.close();
  }
}

function refused(message: string, remedy: string): TributaryError {
  return new TributaryError('storage-failed', message, { remedy });
}
