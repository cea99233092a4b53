/**
 * The database, looked at in a copy: opening the original, even to read, writes its write-ahead index. A running
 * coordinator is not disturbed.
 */
import { copyFile, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Finding, failed, failedBy, fine, warning } from '@tributary/protocol';
import { IDENTITY_FILE, readIdentity } from '../registry/identity-file.ts';
import { requireKeyOf } from '../registry/own-keys.ts';
import { loadDriver, type SqliteHandle } from '../storage/sqlite/drivers.ts';
import { SCHEMA_VERSION } from '../storage/sqlite/migrations.ts';
import { DATABASE_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { clock } from './machine.ts';

/** Larger ones take long to copy and check: bytes. */
const MAX_COPY = 500_000_000;
const RESTORE = 'Stop the coordinator and restore the folder from a backup; keep the damaged one.';

/** @param held a coordinator runs on the folder */
export async function databaseFindings(folder: string, held: boolean): Promise<Finding[]> {
  const file = join(folder, DATABASE_FILE);
  const found = await stat(file).catch(() => undefined);
  if (!found) return [fine('database', 'none yet: the first start makes it'), clock(Date.now(), 0)];
  const now = clock(Date.now(), 0);
  if (held)
    return [
      fine('database', 'in use by a running coordinator: its integrity is checked when that is stopped'),
      now,
    ];
  if (found.size > MAX_COPY)
    return [
      warning(
        'database',
        `${file} has ${found.size} bytes: not checked here.`,
        `Run \`sqlite3 ${file} "PRAGMA quick_check"\`.`,
      ),
      now,
    ];
  const aside = await mkdtemp(join(tmpdir(), 'tributary-doctor-'));
  let database: SqliteHandle | undefined;
  try {
    const copy = join(aside, DATABASE_FILE);
    await copyFile(file, copy);
    await copyFile(`${file}-wal`, `${copy}-wal`).catch((thrown) => {
      if (thrown.code !== 'ENOENT') throw thrown;
    });
    database = (await loadDriver())(copy);
    const findings = await examine(database, folder);
    database.close();
    database = undefined;
    return findings.some(({ level, check }) => check === 'database' && level !== 'ok')
      ? findings
      : [...findings, ...(await keyFindings(folder, aside))];
  } catch (thrown) {
    const message = (thrown as Error).message.replaceAll(aside, folder);
    return [failed('database', `${file} cannot be read: ${message}.`, RESTORE), now];
  } finally {
    database?.close();
    await rm(aside, { recursive: true, force: true });
  }
}

async function examine(database: SqliteHandle, folder: string): Promise<Finding[]> {
  const rows = <T>(sql: string) => database.prepare(sql).all([]) as T[];
  const faults = rows<{ quick_check: string }>('PRAGMA quick_check').map((row) => row.quick_check);
  if (faults.join() !== 'ok') return [failed('database', `It is damaged: ${faults[0]}.`, RESTORE)];
  const version = rows<{ user_version: number }>('PRAGMA user_version')[0]?.user_version ?? 0;
  if (version > SCHEMA_VERSION)
    return [
      failed(
        'database',
        `It has schema ${version}, this program knows schemas up to ${SCHEMA_VERSION}.`,
        'Start the newer program that wrote it; `tributary-server --version` shows this one.',
      ),
    ];
  if (version === 0)
    return [fine('database', 'empty: the first start makes its tables'), clock(Date.now(), 0)];
  const schema =
    version === SCHEMA_VERSION
      ? `schema ${version}`
      : `schema ${version}, ${SCHEMA_VERSION} after the next start`;
  const [latest] = rows<{ newest: number | null }>(
    'SELECT max(created) AS newest FROM (SELECT created FROM tokens UNION ALL SELECT created FROM runs)',
  );
  return [
    fine('database', `sound, ${schema}`),
    clock(Date.now(), latest?.newest ?? 0),
    await blobs(rows, folder),
  ];
}

/** Whether the key in the folder is the one of its database; nothing where there is no key that can be read. */
async function keyFindings(folder: string, aside: string): Promise<Finding[]> {
  const identity = await readIdentity(join(folder, IDENTITY_FILE)).catch(() => null);
  if (!identity) return [];
  const store = await openSqliteStore(aside);
  try {
    await requireKeyOf(store, identity.id);
    return [fine('key', 'the one that the database knows')];
  } catch (thrown) {
    return [failedBy('key', thrown)];
  } finally {
    await store.close();
  }
}

/** Rows hold hashes, the folder holds what they name: initial and present models of runs, and the model of each round. */
async function blobs(rows: <T>(sql: string) => T[], folder: string): Promise<Finding> {
  const named = rows<{ hash: string }>(
    "SELECT initial_model AS hash FROM runs UNION SELECT model FROM runs UNION SELECT json_extract(record, '$.model') FROM rounds",
  ).filter(({ hash }) => hash !== null);
  const there = new Set(await readdir(join(folder, 'blobs')).catch(() => []));
  const missing = named.filter(({ hash }) => !there.has(hash));
  if (missing.length === 0) return fine('models', `${named.length} named by runs, all there`);
  return failed(
    'models',
    `${missing.length} of ${named.length} models that runs name are missing, such as ${missing[0]?.hash}.`,
    'Restore the folder `blobs` from a backup; runs without their model cannot go on: `tributary runs cancel RUN`.',
  );
}
