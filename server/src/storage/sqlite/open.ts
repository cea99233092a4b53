/** Opens the one database of a data folder: exclusive, durable, sound, migrated. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { storageFault } from '../faults.ts';
import { loadDriver, type SqliteDriver, type SqliteHandle, withQuietRollback } from './drivers.ts';
import { migrate, requireKnownSchema } from './migrations.ts';
import { walDamage } from './wal.ts';

export const DATABASE_FILE = 'tributary.db';
/** The coordinator's key lies beside it. */
export const IDENTITY_FILE = 'coordinator.key';

/**
 * The lock that keeps a second coordinator out is SQLite's own exclusive lock on the file: the operating system drops it
 * with the process, however that ends. No other code of this process may open the file (closing it drops POSIX locks).
 * `synchronous=FULL`: what was acknowledged survives a power cut, not only a crash. The log is cut back to 16 MiB after a
 * checkpoint, should one transaction have made it larger. Pages are cached up to 4 MiB: with the 16 of the driver, memory
 * would grow for thousands of rounds.
 */
const SETTINGS = `
  PRAGMA busy_timeout = 0;
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA cache_size = -4096;
  PRAGMA journal_size_limit = 16777216;
  BEGIN IMMEDIATE; COMMIT;
`;

export interface OpenOptions {
  readonly driver?: SqliteDriver | undefined;
  /** Leaves an older schema as it is. */
  readonly asIs?: boolean;
  /** Goes on with what lies before the damage in the write-ahead log; what lies behind is lost. */
  readonly dropDamaged?: boolean;
}

/** @throws already-running, unsupported-version, storage-failed */
export async function openDatabase(folder: string, options: OpenOptions = {}): Promise<SqliteHandle> {
  const open = await loadDriver(options.driver);
  let database: SqliteHandle | undefined;
  try {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new TributaryError('storage-failed', `${folder} is a file, not a folder.`, {
        remedy: 'Name a folder with --data; it is made if it is missing.',
      });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, DATABASE_FILE);
    requireNotLost(file, folder);
    createPrivate(file);
    // Before SQLite sees it: opening and closing the database would drop what does not fit.
    if (!options.dropDamaged) await requireSoundLog(`${file}-wal`, folder);
    database = withQuietRollback(open(file));
    database.exec(SETTINGS);
    requireSound(database, folder);
    if (options.asIs) requireKnownSchema(database);
    else migrate(database);
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

/** The first start makes the database before anything else; an empty one beside anything else has lost its content. */
function requireNotLost(file: string, folder: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size || !existsSync(join(folder, IDENTITY_FILE))) return;
  const said = size === undefined ? 'it is missing' : 'it is empty';
  throw damaged(folder, `${said}, but this folder was in use`);
}

/** @throws storage-failed when transactions that were acknowledged are damaged */
async function requireSoundLog(log: string, folder: string): Promise<void> {
  const damage = await walDamage(log);
  if (!damage) return;
  throw new TributaryError(
    'storage-failed',
    `The write-ahead log ${log} is damaged at byte ${damage.at}: ${damage.transactions} or more acknowledged changes lie behind it.`,
    {
      remedy:
        `Keep a copy of ${folder}. Then \`tributary-server restore --from BACKUP --data DIR\`, or, to go on without what ` +
        `lies behind the damage, \`tributary-server restore --in-place --data ${folder}\`.`,
    },
  );
}

/** Every page, each start: milliseconds for a database of rows that hold hashes. @throws storage-failed */
function requireSound(database: SqliteHandle, folder: string): void {
  const [first] = database.prepare('PRAGMA quick_check(1)').all([]) as { quick_check: string }[];
  const said = first?.quick_check ?? 'no answer';
  if (said !== 'ok') throw damaged(folder, said);
}

function damaged(folder: string, said: string): TributaryError {
  const cause = Object.assign(new Error(said), { code: 'SQLITE_CORRUPT' });
  return storageFault(`The database in ${folder} (${said})`, cause, folder);
}

/** Faults of either driver as typed errors; what was typed already passes. */
export function asStorageError(cause: unknown, folder: string): TributaryError {
  if (cause instanceof TributaryError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/database is locked|SQLITE_BUSY/i.test(message))
    return new TributaryError('already-running', `Another process holds ${folder}.`, { cause });
  return storageFault(`The database in ${folder} failed`, cause, folder);
}
