/**
 * `tributary-server check`: does all that a data folder or a backup holds fit together? On a running coordinator too: it
 * gives a copy of its database. Nothing is changed, and secrets are not shown.
 */
import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Finding, failedBy, fine, TributaryError } from '@tributary/protocol';
import { readIdentity } from '../registry/identity-file.ts';
import { DATABASE_FILE, IDENTITY_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore, type SqliteStore } from '../storage/sqlite/store.ts';
import { backupFindings } from './check-backup.ts';
import { modelFindings, strayFindings, updateFindings } from './check-files.ts';
import { journalFindings, rowFindings, transcriptFindings } from './check-rows.ts';
import { copyDatabase } from './copy-database.ts';
import { MANIFEST_FILE } from './manifest.ts';

/** @throws not-found when the folder holds no database */
export async function checkFolder(folder: string): Promise<Finding[]> {
  const aside = await mkdtemp(join(tmpdir(), 'tributary-check-'));
  const isBackup = await exists(join(folder, MANIFEST_FILE));
  try {
    const opened = await openCopy(folder, aside, isBackup);
    const identity = await guarded('identity', async () => {
      const { id } = await readIdentity(join(folder, IDENTITY_FILE));
      return [fine('identity', id)];
    });
    const files = isBackup ? await guarded('backup', () => backupFindings(folder)) : [];
    if (!opened.store) return [...opened.findings, ...identity, ...files];
    try {
      const context = { folder, store: opened.store };
      return [
        ...opened.findings,
        ...identity,
        ...files,
        ...(await guarded('rows', () => rowFindings(context))),
        ...(await guarded('transcripts', () => transcriptFindings(context))),
        ...(await guarded('journal', () => journalFindings(context))),
        ...(await guarded('models', () => modelFindings(context))),
        ...(isBackup ? [] : await guarded('updates', () => updateFindings(context))),
        ...(isBackup ? [] : await guarded('strays', () => strayFindings(context))),
      ];
    } finally {
      await opened.store.close();
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function guarded(check: string, run: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await run();
  } catch (thrown) {
    return [failedBy(check, thrown)];
  }
}

/** Opening it tells whether every page and the write-ahead log are sound. */
async function openCopy(folder: string, aside: string, isBackup: boolean) {
  const copy = join(aside, DATABASE_FILE);
  let store: SqliteStore;
  let live = false;
  try {
    // A backup has no log beside its database, and opening it would change it.
    if (isBackup) await copyFile(join(folder, DATABASE_FILE), copy);
    else ({ live } = await copyDatabase(folder, copy));
    store = await openSqliteStore(aside);
  } catch (thrown) {
    if (thrown instanceof TributaryError && thrown.code === 'not-found') throw thrown;
    return { store: null, findings: [failedBy('database', inPlaceOf(thrown, aside, folder))] };
  }
  const words = live ? ', as the running coordinator has it' : '';
  const findings: Finding[] = [fine('database', `sound, epoch ${await store.epoch()}${words}`)];
  return { store, findings };
}

/** Names the folder that was asked about, not the one of the copy. */
function inPlaceOf(thrown: unknown, aside: string, folder: string): unknown {
  if (!(thrown instanceof TributaryError)) return thrown;
  const [message, remedy] = [thrown.message, thrown.remedy].map((text) => text.replaceAll(aside, folder));
  return new TributaryError(thrown.code, message!, { remedy: remedy! });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
