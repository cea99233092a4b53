/**
 * `tributary-server check`: does all that a data folder or a backup holds fit together? On a running coordinator too: it
 * gives a copy of its database. Nothing is changed, and secrets are not shown.
 */
import { copyFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Finding, failedBy, fine, fingerprint, TributaryError, warning } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { type Encryption, encryptionOf } from '../at-rest/marker.ts';
import { readIdentity } from '../registry/identity-file.ts';
import { requireKeyOf } from '../registry/own-keys.ts';
import { DATABASE_FILE, IDENTITY_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore, type SqliteStore } from '../storage/sqlite/store.ts';
import { backupFindings } from './check-backup.ts';
import { leftoverFindings, modelFindings, strayFindings, updateFindings } from './check-files.ts';
import { journalFindings, rowFindings, transcriptFindings } from './check-rows.ts';
import { copyDatabase } from './copy-database.ts';
import { MANIFEST_FILE } from './manifest.ts';

/**
 * @param keyFile of a folder whose models and updates are encrypted: without, they are not looked into
 * @throws not-found when the folder holds no database
 */
export async function checkFolder(folder: string, keyFile?: string): Promise<Finding[]> {
  const aside = await mkdtemp(join(tmpdir(), 'tributary-check-'));
  const isBackup = await exists(join(folder, MANIFEST_FILE));
  try {
    const opened = await openCopy(folder, aside, isBackup);
    const identity = await guarded('identity', async () => {
      const { id } = await readIdentity(join(folder, IDENTITY_FILE));
      if (opened.store) await requireKeyOf(opened.store, id);
      return [fine('identity', fingerprint(nodeCrypto, id))];
    });
    const files = isBackup ? await guarded('backup', () => backupFindings(folder)) : [];
    const encryption = await encryptionOf(folder, keyFile).catch((thrown) => failedBy('encryption', thrown));
    const rest = [...identity, ...files, ...encryptionFindings(encryption, keyFile)];
    if (!opened.store) return [...opened.findings, ...rest];
    try {
      const known = 'level' in encryption ? { marked: 'unknown', key: null } : encryption;
      const context = { folder, store: opened.store, encryption: known };
      return [
        ...opened.findings,
        ...rest,
        ...(await guarded('rows', () => rowFindings(context))),
        ...(await guarded('transcripts', () => transcriptFindings(context))),
        ...(await guarded('journal', () => journalFindings(context))),
        ...(await guarded('models', () => modelFindings(context))),
        ...(isBackup ? [] : await guarded('updates', () => updateFindings(context))),
        ...(isBackup ? [] : await guarded('strays', () => strayFindings(context))),
        ...(await guarded('leftovers', () => leftoverFindings(context))),
      ];
    } finally {
      await opened.store.close();
    }
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

function encryptionFindings(found: Encryption | Finding, keyFile: string | undefined): Finding[] {
  if ('level' in found) return [found];
  const { marked, key } = found;
  if (marked === null)
    return keyFile === undefined ? [] : [fine('encryption', 'none: the key was not needed')];
  if (key) return [fine('encryption', `under key ${marked}, which was given`)];
  return [
    warning(
      'encryption',
      `Models and updates are encrypted under key ${marked}: whether they decrypt was not checked.`,
      'Give the key: `--encrypt-blobs KEYFILE`, or the variable TRIBUTARY_ENCRYPT_BLOBS.',
    ),
  ];
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
