/** A consistent copy of a data folder's database, whether a coordinator runs on it or not. */
import { copyFile, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { asFileError, PRIVATE_FILE } from '../storage/files.ts';
import { DATABASE_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore, type SqliteStore } from '../storage/sqlite/store.ts';
import { onceFree } from './once-free.ts';
import { type TakenSnapshot, takeSnapshot } from './snapshot-socket.ts';

/**
 * @param into a file that is not there yet
 * @returns whether a running coordinator gave it
 * @throws not-found, already-running, unsupported-version, storage-failed
 */
export async function copyDatabase(folder: string, into: string): Promise<{ live: boolean }> {
  await stat(join(folder, DATABASE_FILE)).catch((cause) => {
    if (cause.code !== 'ENOENT') throw asFileError(cause, `${folder} cannot be read`);
    throw new TributaryError('not-found', `There is no ${DATABASE_FILE} in ${folder}.`, {
      remedy: 'Name the data folder of a coordinator, as in `tributary-server start --data DIR`.',
    });
  });
  await (await open(into, 'wx', PRIVATE_FILE)).close();
  const found = await onceFree(() => look(folder));
  if ('file' in found) {
    await copyFile(found.file, into).finally(found.release);
    return { live: true };
  }
  try {
    await found.copyTo(into);
  } finally {
    await found.close();
  }
  return { live: false };
}

/** From the coordinator, or from the file when none runs. */
async function look(folder: string): Promise<TakenSnapshot | SqliteStore> {
  const taken = await takeSnapshot(folder);
  if (taken) return taken;
  return openSqliteStore(folder, { asIs: true }).catch((error) => {
    if (!(error instanceof TributaryError) || error.code !== 'already-running') throw error;
    throw new TributaryError('already-running', error.message, {
      remedy:
        'It gives no copy away: another such command is looking at the folder, or its path is too long for a ' +
        'socket. Try again, or stop the coordinator for the time of the backup.',
    });
  });
}
