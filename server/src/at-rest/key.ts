/**
 * The key that models and masked updates are encrypted under: a file of its own, kept apart from the data folder. From it
 * comes a key for each file, by HKDF-SHA256 (RFC 5869) from a random salt and the file's name.
 */
import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { constants, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, sep } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { asFileError, HASH, PRIVATE_FILE, syncFolder } from '../storage/files.ts';

export interface BlobKey {
  /** Public: tells keys apart, hex. */
  readonly id: string;
  readonly secret: KeyObject;
}

/** So that no other secret of 32 bytes is taken for one. */
const PREFIX = 'tributary-blob-key-1:';
const MAKE =
  'Make one with `tributary-server new-key FILE`, and keep a copy apart from the data and its backups.';

/** Writes a new key, for its owner only. @throws conflict (the file is there), storage-failed */
export async function makeKeyFile(path: string): Promise<BlobKey> {
  const secret = randomBytes(32);
  try {
    const handle = await open(path, 'wx', PRIVATE_FILE);
    try {
      await handle.writeFile(`${PREFIX}${secret.toString('base64url')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncFolder(dirname(path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new TributaryError('conflict', `${path} is there already.`, {
        remedy: 'Name another file: a key that is in use is never written over.',
      });
    throw asFileError(cause, `The key file ${path} cannot be written`);
  }
  return keyOf(secret);
}

/** @throws storage-failed when it is missing, no key, or not for this user alone */
export async function readKeyFile(path: string): Promise<BlobKey> {
  // NONBLOCK: a pipe would wait for its other end.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (cause: NodeJS.ErrnoException) => {
      throw refused(path, `cannot be read (${cause.code})`, `Check the path. ${MAKE}`);
    },
  );
  try {
    // Of the open file, so that nothing changes in between.
    const stats = await handle.stat();
    if (!stats.isFile()) throw refused(path, 'is no regular file', MAKE);
    if (process.platform !== 'win32') requirePrivate(path, stats);
    const text = (await handle.readFile('latin1')).trim();
    const secret = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : '';
    if (!/^[A-Za-z0-9_-]{43}$/.test(secret)) throw refused(path, 'does not hold a key for blobs', MAKE);
    return keyOf(Buffer.from(secret, 'base64url'));
  } finally {
    await handle.close();
  }
}

/** Ours: for us alone. Root's: also for a group that this process is in, as secrets are handed to containers. */
function requirePrivate(path: string, { mode, uid }: { mode: number; uid: number }): void {
  const own = process.getuid?.() ?? uid;
  if (uid !== own && uid !== 0)
    throw refused(path, `belongs to user ${uid}, this process is user ${own}`, `Run: chown ${own} ${path}.`);
  if ((mode & (uid === 0 && own !== 0 ? 0o037 : 0o077)) !== 0)
    throw refused(
      path,
      `has mode ${(mode & 0o777).toString(8)}: others may read or change it`,
      `Run: chmod 600 ${path}. If others use this machine, take a new key: \`backup\`, then \`restore --decrypt-blobs OLD --encrypt-blobs NEW\`.`,
    );
}

/** Whoever takes the data must not have the key with it. @throws storage-failed */
export async function requireApart(path: string, folder: string): Promise<void> {
  const [key, data] = await Promise.all([path, folder].map((given) => realpath(given).catch(() => given)));
  const way = relative(data!, key!);
  if (isAbsolute(way) || way.split(sep)[0] === '..') return;
  throw refused(path, `lies in the data folder ${folder}`, 'Keep it apart, or it protects nothing.');
}

function refused(path: string, why: string, remedy: string): TributaryError {
  return new TributaryError('storage-failed', `The key file ${path} ${why}.`, { remedy });
}

function keyOf(bytes: Buffer): BlobKey {
  const secret = createSecretKey(bytes);
  const id = Buffer.from(hkdfSync('sha256', secret, '', 'tributary blob key id', 16)).toString('hex');
  return { id, secret };
}

/** Bound to the file's place, so that no other one can be put there. */
export function fileKey({ secret }: BlobKey, salt: Uint8Array, path: string): KeyObject {
  const name = basename(path).split('.')[0]!;
  const place = HASH.test(name) ? `blob ${name}` : `update ${basename(dirname(path))} ${name}`;
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, salt, `tributary/file: ${place}`, 32)));
}
