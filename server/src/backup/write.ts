/**
 * A backup is a folder: the database, every model that its rows name, the coordinator's key, a manifest with the SHA-256
 * of each. Masked updates are left out: a restored coordinator opens new attempts. Models never change and are deleted
 * only while nothing names them, so all that a copy of the database names can still be copied after it. Encrypted models
 * are copied as they are: the key is no part of it.
 */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { SOFTWARE_VERSION, TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { encryptionOf, isEncrypted, MARKER_FILE } from '../at-rest/marker.ts';
import { type AtRest, hashOf } from '../at-rest/reader.ts';
import { readIdentity, readIfThere } from '../registry/identity-file.ts';
import { requireKeyOf } from '../registry/own-keys.ts';
import { PRIVATE_FILE } from '../storage/files.ts';
import { DATABASE_FILE, IDENTITY_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { copyDatabase } from './copy-database.ts';
import { type Copied, copyPrivate, leftoversOf, makeWhole, requireEmpty } from './files.ts';
import { type BackupFile, createManifest, MANIFEST_FILE } from './manifest.ts';

export interface BackupReport {
  readonly out: string;
  /** A running coordinator gave its database. */
  readonly live: boolean;
  readonly epoch: number;
  readonly models: number;
  readonly bytes: number;
  /** Id of the key of its models; null when they are not encrypted. */
  readonly encrypted: string | null;
  /** False without the key of encrypted models: that they decrypt is not known. */
  readonly modelsChecked: boolean;
  /** Folders beside it that a killed backup of this name left. */
  readonly leftovers: readonly string[];
}

/**
 * @param keyFile of an encrypted folder, to check its models
 * @throws conflict, not-found, already-running, unsupported-version, storage-failed (a model is missing or damaged, a
 * rotation of the key was interrupted)
 */
export async function writeBackup(folder: string, out: string, keyFile?: string): Promise<BackupReport> {
  await requireEmpty(out, 'Name a folder that is not there yet: each backup is one of its own.');
  const way = relative(folder, out);
  if (!way.startsWith('..') && !isAbsolute(way))
    throw new TributaryError('conflict', `${out} lies in the data folder ${folder}.`, {
      remedy: 'Name a folder on another disk: who loses the data folder must not lose the backup with it.',
    });
  const report = await makeWhole(out, async (part) => {
    const files: BackupFile[] = [];
    const encryption = await encryptionOf(folder, keyFile);
    const database = join(part, DATABASE_FILE);
    const before = await readIfThere(join(folder, IDENTITY_FILE));
    const raw = join(part, 'copy.db');
    const { live } = await copyDatabase(folder, raw);
    crashPoint('backup.database.copied');
    files.push({ path: DATABASE_FILE, ...(await copyPrivate(raw, database)) });
    const key = join(part, IDENTITY_FILE);
    files.push({ path: IDENTITY_FILE, ...(await copyPrivate(join(folder, IDENTITY_FILE), key)) });
    const { id } = await readIdentity(key);
    if (before?.id !== id) throw replacedMeanwhile(folder);
    const { epoch, named } = await look(raw, join(part, 'look'), id);
    if (encryption.marked)
      files.push({
        path: MARKER_FILE,
        ...(await copyPrivate(join(folder, MARKER_FILE), join(part, MARKER_FILE))),
      });
    await mkdir(join(part, 'blobs'), { mode: 0o700 });
    for (const hash of named) {
      const path = `blobs/${hash}`;
      const copied = await copyModel(folder, part, path);
      const found = encryption.marked ? await opened(join(part, path), hash, encryption.key) : copied.sha256;
      if (found !== hash) throw broken(`The model ${path} in ${folder} is damaged`, folder);
      files.push({ path, ...copied });
    }
    crashPoint('backup.models.copied');
    const facts = { software: SOFTWARE_VERSION, coordinator: id, epoch, created: new Date().toISOString() };
    const manifest = `${JSON.stringify(createManifest({ ...facts, files }), null, 1)}\n`;
    await writeFile(join(part, MANIFEST_FILE), manifest, { mode: PRIVATE_FILE, flush: true });
    crashPoint('backup.manifest.written');
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const { marked: encrypted } = encryption;
    const modelsChecked = encrypted === null || encryption.key !== null;
    return { out, live, epoch, models: named.length, bytes, encrypted, modelsChecked };
  });
  crashPoint('backup.folder.renamed');
  return { ...report, leftovers: await leftoversOf(out) };
}

/** In a copy of its own: opening a database may write to it. */
async function look(
  database: string,
  aside: string,
  id: string,
): Promise<{ epoch: number; named: string[] }> {
  await mkdir(aside, { mode: 0o700 });
  await copyFile(database, join(aside, DATABASE_FILE));
  await rm(database);
  const store = await openSqliteStore(aside);
  try {
    await requireKeyOf(store, id);
    return { epoch: await store.epoch(), named: [...(await store.namedBlobs())].sort() };
  } finally {
    await store.close();
    await rm(aside, { recursive: true });
  }
}

function copyModel(folder: string, part: string, path: string): Promise<Copied> {
  return copyPrivate(join(folder, path), join(part, path)).catch((error) => {
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code !== 'ENOENT') throw error;
    throw broken(`The model ${path} is missing in ${folder}`, folder);
  });
}

/** The hash of what is encrypted there; without the key `hash` is believed. Null when it is damaged. */
async function opened(path: string, hash: string, key: AtRest): Promise<string | null> {
  if (!key) return (await isEncrypted(path)) ? hash : null;
  return hashOf(path, key).catch((cause) => {
    if (cause.code === 'EBADMSG') return null;
    throw cause;
  });
}

function broken(what: string, folder: string): TributaryError {
  return new TributaryError('storage-failed', `${what}: there is no whole backup without it.`, {
    remedy: `Copy the file from an older backup into ${join(folder, 'blobs')}; its name is its SHA-256. \`tributary-server check --data ${folder}\` names all that is missing.`,
  });
}

function replacedMeanwhile(folder: string): TributaryError {
  return new TributaryError('conflict', `The key in ${folder} was replaced while the backup was made.`, {
    remedy: 'Make the backup again.',
  });
}
