/**
 * The coordinator's Ed25519 seed in the data folder. Whoever reads it is the coordinator to every partner, so it is made
 * for its owner only, and refused when others could have read or exchanged it.
 */
import { constants } from 'node:fs';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromBase64, type Identity, identityFromSeed, TributaryError, toBase64 } from '@tributary/protocol';
import { crashPoint, nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { asFileError, makeFolder, PRIVATE_FILE, partOf, publish, syncFolder } from '../storage/files.ts';
import { IDENTITY_FILE } from '../storage/sqlite/open.ts';

export { IDENTITY_FILE };
/** The key that is to take its place: here from before the database names it until it has. */
export const NEXT_IDENTITY_FILE = 'coordinator.next.key';

/** Reads the identity, makes it at the first start. The caller holds the data folder's lock. @throws storage-failed */
export async function openIdentity(folder: string): Promise<Identity> {
  return openAt(folder, IDENTITY_FILE);
}

/** Makes the successor, or reads the one that an interrupted rotation left. The caller holds the lock. @throws storage-failed */
export async function openNextIdentity(folder: string): Promise<Identity> {
  return openAt(folder, NEXT_IDENTITY_FILE);
}

/** The successor takes the place of the key, which is gone then. */
export async function adoptNextIdentity(folder: string): Promise<void> {
  const path = join(folder, NEXT_IDENTITY_FILE);
  try {
    await rename(path, join(folder, IDENTITY_FILE));
    crashPoint('coordinator.identity.renamed');
    await syncFolder(folder);
  } catch (cause) {
    throw asFileError(cause, `The identity file ${path} cannot be used`);
  }
}

async function openAt(folder: string, name: string): Promise<Identity> {
  const path = join(folder, name);
  try {
    await makeFolder(folder);
    return (await readIfThere(path)) ?? (await makeIdentity(path));
  } catch (cause) {
    throw asFileError(cause, `The identity file ${path} cannot be used`);
  }
}

/** @throws storage-failed when it is damaged, or not for its owner alone */
export async function readIfThere(path: string): Promise<Identity | null> {
  const present = await lstat(path).catch((cause) => {
    if (cause.code === 'ENOENT') return null;
    throw cause;
  });
  return present ? readIdentity(path) : null;
}

/** @throws storage-failed when it is missing, damaged, or not for its owner alone */
export async function readIdentity(path: string): Promise<Identity> {
  // NOFOLLOW: a link could lead to a file that others write. Checked on the open file, so that nothing changes in between.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch((cause) => {
    if (cause.code === 'ELOOP') throw refused(path, 'is a symbolic link');
    throw cause;
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw refused(path, 'is no regular file');
    if (process.getuid && stats.uid !== process.getuid())
      throw refused(path, `belongs to user ${stats.uid}, this process is user ${process.getuid()}`);
    if (process.platform !== 'win32' && (stats.mode & 0o077) !== 0)
      throw refused(path, `has mode ${(stats.mode & 0o777).toString(8)}: others may read it`);
    const text = (await handle.readFile('utf8')).trim();
    if (!/^[A-Za-z0-9_-]{43}$/.test(text)) throw refused(path, 'does not hold a seed');
    return identityFromSeed(nodeCrypto, fromBase64(text));
  } finally {
    await handle.close();
  }
}

async function makeIdentity(path: string): Promise<Identity> {
  const seed = nodeRandom(32);
  const part = partOf(path);
  try {
    const handle = await open(part, 'wx', PRIVATE_FILE);
    try {
      await handle.writeFile(`${toBase64(seed)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!(await publish(part, path, 'identity'))) throw refused(path, 'appeared while it was being made');
    return identityFromSeed(nodeCrypto, seed);
  } finally {
    await rm(part, { force: true });
  }
}

function refused(path: string, why: string): TributaryError {
  return new TributaryError('storage-failed', `The identity file ${path} ${why}.`, {
    remedy:
      'Find out who touched it. If nobody else could read it, make it a file of your own with mode 600; otherwise restore it from a backup.',
  });
}
