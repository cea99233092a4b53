/** From a backup to a data folder that a coordinator can start on, in a higher epoch than anybody has seen. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { readIdentity } from '../registry/identity-file.ts';
import { asFileError } from '../storage/files.ts';
import type { RunRow } from '../storage/ports.ts';
import { DATABASE_FILE, IDENTITY_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore, type SqliteStore } from '../storage/sqlite/store.ts';
import { copyPrivate, makeWhole, requireEmpty } from './files.ts';
import { type Manifest, readManifest } from './manifest.ts';

export interface RestoreReport {
  readonly data: string;
  readonly coordinator: string;
  readonly epoch: { readonly before: number; readonly now: number };
  readonly models: number;
  readonly runs: readonly Pick<RunRow, 'id' | 'status' | 'round'>[];
}

/** @throws conflict (the folder has data), not-found, malformed, hash-mismatch, unsupported-version, storage-failed */
export async function restoreBackup(from: string, folder: string, now = Date.now): Promise<RestoreReport> {
  await requireEmpty(
    folder,
    'Restore into a new folder, and start the coordinator there: what is in this one may still be needed.',
  );
  const manifest = await readManifest(from);
  return makeWhole(folder, async (part) => {
    await mkdir(join(part, 'blobs'), { mode: 0o700 });
    for (const file of manifest.files) await restoreFile(file, from, part);
    const coordinator = await requireIdentity(part, manifest);
    const store = await openSqliteStore(part);
    const models = manifest.files.filter(({ path }) => dirname(path) === 'blobs').length;
    return { data: folder, coordinator, models, ...(await raise(store, now())) };
  });
}

/** For a folder that came back by other means, a disk image or a damaged log: the same, where it is. */
export async function restoreInPlace(folder: string, now = Date.now): Promise<RestoreReport> {
  await stat(join(folder, DATABASE_FILE)).catch((cause) => {
    throw asFileError(cause, `${folder} holds no database`);
  });
  const { id } = await readIdentity(join(folder, IDENTITY_FILE));
  const store = await openSqliteStore(folder, { dropDamaged: true });
  const models = (await store.namedBlobs()).size;
  return { data: folder, coordinator: id, models, ...(await raise(store, now())) };
}

async function restoreFile(file: Manifest['files'][number], from: string, part: string): Promise<void> {
  const source = join(from, file.path);
  const copied = await copyPrivate(source, join(part, file.path));
  if (copied.sha256 === file.sha256 && copied.bytes === file.bytes) return;
  throw new TributaryError(
    'hash-mismatch',
    `${source} is not what was backed up: ${copied.bytes} bytes, SHA-256 ${copied.sha256}; the manifest says ${file.bytes}, ${file.sha256}.`,
    { remedy: 'The backup is damaged: take another one, or another copy of this file.' },
  );
}

async function requireIdentity(part: string, { coordinator }: Manifest): Promise<string> {
  const { id } = await readIdentity(join(part, IDENTITY_FILE));
  if (id === coordinator) return id;
  throw new TributaryError('malformed', `The key in the backup is ${id}, its manifest says ${coordinator}.`, {
    remedy: 'Somebody put this backup together from two: take another one.',
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
    const runs = (await store.runs()).map(({ id, status, round }) => ({ id, status, round }));
    return { epoch: { before, now: epoch }, runs };
  } finally {
    await store.close();
  }
}
