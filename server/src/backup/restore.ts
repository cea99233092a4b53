/** From a backup to a data folder that a coordinator can start on, in a higher epoch than anybody has seen. */
import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { readKeyFile, requireApart } from '../at-rest/key.ts';
import { MARKER_FILE, readMarker, requireKey, writeMarker } from '../at-rest/marker.ts';
import type { AtRest } from '../at-rest/reader.ts';
import { readIdentity } from '../registry/identity-file.ts';
import { requireKeyOf } from '../registry/own-keys.ts';
import { asFileError } from '../storage/files.ts';
import type { RunRow } from '../storage/ports.ts';
import { DATABASE_FILE, IDENTITY_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore, type SqliteStore } from '../storage/sqlite/store.ts';
import { copyPrivate, leftoversOf, makeWhole, misfit, requireEmpty } from './files.ts';
import { type Manifest, readManifest } from './manifest.ts';

export interface RestoreReport {
  readonly data: string;
  readonly coordinator: string;
  readonly epoch: { readonly before: number; readonly now: number };
  readonly models: number;
  /** Id of the key of its models; null when they are not encrypted. */
  readonly encrypted: string | null;
  readonly runs: readonly Pick<RunRow, 'id' | 'status' | 'round'>[];
  /** Folders beside it that a killed restore to this name left. */
  readonly leftovers: readonly string[];
}

export interface RestoreOptions {
  readonly now?: () => number;
  /** Key file: the models of the new folder are encrypted under it. */
  readonly encryptBlobs?: string | undefined;
  /** Key file of the backup, to take its encryption away or to exchange its key. */
  readonly decryptBlobs?: string | undefined;
}

/** @throws conflict (the folder has data), not-found, malformed, hash-mismatch, unsupported-version, storage-failed */
export async function restoreBackup(
  from: string,
  folder: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const { now = Date.now, encryptBlobs } = options;
  if (encryptBlobs !== undefined) await requireApart(encryptBlobs, folder);
  await requireEmpty(
    folder,
    'Restore into a new folder, and start the coordinator there: what is in this one may still be needed.',
  );
  const manifest = await readManifest(from);
  const report = await makeWhole(folder, async (part) => {
    await mkdir(join(part, 'blobs'), { mode: 0o700 });
    const keys = await keysOf(from, manifest, options);
    for (const file of manifest.files) await restoreFile(file, from, part, keys);
    if (keys.target) await writeMarker(part, keys.target);
    crashPoint('restore.files.copied');
    const coordinator = await requireIdentity(part, manifest);
    const store = await openSqliteStore(part);
    await requireFit(store, coordinator);
    const models = manifest.files.filter(({ path }) => dirname(path) === 'blobs').length;
    const encrypted = await readMarker(part);
    return { data: folder, coordinator, models, encrypted, ...(await raise(store, now())) };
  });
  crashPoint('restore.folder.renamed');
  return { ...report, leftovers: await leftoversOf(folder) };
}

interface Keys {
  readonly source: AtRest;
  readonly target: AtRest;
  /** Models are written anew; else as they are in the backup. */
  readonly change: boolean;
}

async function keysOf(from: string, { files }: Manifest, options: RestoreOptions): Promise<Keys> {
  const { encryptBlobs, decryptBlobs } = options;
  const marked = files.some(({ path }) => path === MARKER_FILE) ? await readMarker(from) : null;
  const target = encryptBlobs === undefined ? null : await readKeyFile(encryptBlobs);
  if (decryptBlobs !== undefined) {
    if (marked === null)
      throw new TributaryError('malformed', `The backup ${from} is not encrypted.`, {
        remedy: 'Leave --decrypt-blobs out.',
      });
    const remedy = 'Give the key of the backup: `--decrypt-blobs KEYFILE`.';
    const source = requireKey(await readKeyFile(decryptBlobs), marked, from, remedy);
    return { source, target, change: true };
  }
  if (marked === null) return { source: null, target, change: target !== null };
  if (target && target.id !== marked)
    throw new TributaryError(
      'storage-failed',
      `The key given is ${target.id}; the backup ${from} is encrypted under ${marked}.`,
      { remedy: 'To exchange its key, give that one, too: `--decrypt-blobs OLD --encrypt-blobs NEW`.' },
    );
  return { source: target, target, change: target !== null };
}

/** For a folder that came back by other means, a disk image or a damaged log: the same, where it is. */
export async function restoreInPlace(folder: string, now = Date.now): Promise<RestoreReport> {
  await stat(join(folder, DATABASE_FILE)).catch((cause) => {
    throw asFileError(cause, `${folder} holds no database`);
  });
  const { id } = await readIdentity(join(folder, IDENTITY_FILE));
  const store = await openSqliteStore(folder, { dropDamaged: true });
  await requireFit(store, id);
  const models = (await store.namedBlobs()).size;
  const encrypted = await readMarker(folder);
  const leftovers = await leftoversOf(folder);
  return { data: folder, coordinator: id, models, encrypted, leftovers, ...(await raise(store, now())) };
}

async function restoreFile(
  file: Manifest['files'][number],
  from: string,
  part: string,
  keys: Keys,
): Promise<void> {
  const source = join(from, file.path);
  const damaged = (how: string) =>
    new TributaryError('hash-mismatch', `${source} is not what was backed up${how}.`, {
      remedy: 'The backup is damaged: take another one, or another copy of this file.',
    });
  const wrong = await misfit(source, file.bytes);
  if (wrong) throw damaged(`: ${wrong}`);
  const isModel = dirname(file.path) === 'blobs';
  if (isModel && keys.change) {
    const { sha256 } = await copyPrivate(source, join(part, file.path), keys);
    if (sha256 === basename(file.path)) return;
    throw damaged('');
  }
  if (file.path === MARKER_FILE && keys.change) return;
  const copied = await copyPrivate(source, join(part, file.path));
  if (copied.sha256 === file.sha256 && copied.bytes === file.bytes) return;
  throw damaged(
    `: ${copied.bytes} bytes, SHA-256 ${copied.sha256}; the manifest says ${file.bytes}, ${file.sha256}`,
  );
}

async function requireIdentity(part: string, { coordinator }: Manifest): Promise<string> {
  const { id } = await readIdentity(join(part, IDENTITY_FILE));
  if (id === coordinator) return id;
  throw new TributaryError('malformed', `The key in the backup is ${id}, its manifest says ${coordinator}.`, {
    remedy: 'Somebody put this backup together from two: take another one.',
  });
}

/** Closes the store of another key. @throws storage-failed */
async function requireFit(store: SqliteStore, coordinator: string): Promise<void> {
  await requireKeyOf(store, coordinator).catch(async (thrown) => {
    await store.close();
    throw thrown;
  });
}

/**
 * Closes the store. Seconds since 1970: above every epoch that this coordinator ever had, also those of restores that this backup knows
 * nothing of, as long as the clock is right; and nodes say so when it was not (PROTOCOL.md 6.8).
 */
async function raise(store: SqliteStore, now: number): Promise<Pick<RestoreReport, 'epoch' | 'runs'>> {
  try {
    const before = await store.epoch();
    const epoch = Math.max(before + 1, Math.floor(now / 1000));
    await store.raiseEpoch(epoch);
    crashPoint('restore.epoch.raised');
    const runs = (await store.runs()).map(({ id, status, round }) => ({ id, status, round }));
    return { epoch: { before, now: epoch }, runs };
  } finally {
    await store.close();
  }
}
