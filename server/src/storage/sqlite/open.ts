/** Opens the one database of a data folder: exclusive, durable, migrated. */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { loadDriver, type SqliteDriver, type SqliteHandle } from './drivers.ts';
import { migrate } from './migrations.ts';

export const DATABASE_FILE = 'tributary.db';

/**
 * The lock that keeps a second coordinator out is SQLite's own exclusive lock on the file: the operating system drops it
 * with the process, however that ends. No other code of this process may open the file (closing it drops POSIX locks).
 * `synchronous=FULL`: what was acknowledged survives a power cut, not only a crash.
 */
const SETTINGS = `
  PRAGMA busy_timeout = 0;
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  BEGIN IMMEDIATE; COMMIT;
`;

/** @throws already-running, unsupported-version, storage-failed */
export async function openDatabase(folder: string, driver?: SqliteDriver): Promise<SqliteHandle> {
  const open = await loadDriver(driver);
  let database: SqliteHandle | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, DATABASE_FILE);
    createPrivate(file);
    database = open(file);
    database.exec(SETTINGS);
    migrate(database);
    return database;
  } catch (cause) {
    database?.close();
    throw asStorageError(cause, folder);
  }
}

/** SQLite gives its WAL the mode of the database file: only the owner may read either. */
function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    chmodSync(file, 0o600);
  }
}

/** Faults of either driver as typed errors; what was typed already passes. */
export function asStorageError(cause: unknown, folder: string): TributaryError {
  if (cause instanceof TributaryError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/database is locked|SQLITE_BUSY/i.test(message))
    return new TributaryError('already-running', `Another process holds ${folder}.`, { cause });
  return new TributaryError('storage-failed', `The database in ${folder} failed: ${message}.`, { cause });
}
