/** `manifest.json` of a backup: what belongs to it, each file with its length and SHA-256. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { MARKER_FILE } from '../at-rest/marker.ts';
import { asFileError } from '../storage/files.ts';
import { DATABASE_FILE, IDENTITY_FILE } from '../storage/sqlite/open.ts';

export const MANIFEST_FILE = 'manifest.json';
const FORMAT = 'tributary-backup';
const VERSION = 1;

export interface BackupFile {
  /** Inside the folder, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  readonly software: string;
  /** Identity key of the coordinator. */
  readonly coordinator: string;
  readonly epoch: number;
  /** ISO 8601. */
  readonly created: string;
  readonly files: readonly BackupFile[];
}

export function createManifest(facts: Omit<Manifest, 'format' | 'version'>): Manifest {
  return { format: FORMAT, version: VERSION, ...facts };
}

/** Nothing else is ever read from a backup or written by a restore: no path of it leaves its folder. */
const PATH = new RegExp(
  `^(${DATABASE_FILE}|${IDENTITY_FILE}|${MARKER_FILE}|blobs/[0-9a-f]{64})$`.replaceAll('.', '\\.'),
);

/** @throws not-found, malformed, unsupported-version */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE);
  const text = await readFile(path, 'utf8').catch((cause) => {
    if (cause.code !== 'ENOENT') throw asFileError(cause, `${path} cannot be read`);
    throw new TributaryError(
      'not-found',
      `There is no ${MANIFEST_FILE} in ${folder}: it is no whole backup.`,
      {
        remedy: 'Name a folder that `tributary-server backup --out DIR` made.',
      },
    );
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(path, 'it is no JSON');
  }
  return check(value, path);
}

function check(value: unknown, path: string): Manifest {
  const manifest = value as Manifest;
  if (typeof value !== 'object' || value === null || manifest.format !== FORMAT)
    throw damaged(path, 'it is not the manifest of a backup');
  if (manifest.version !== VERSION)
    throw new TributaryError(
      'unsupported-version',
      `${path} has version ${String(manifest.version)}, this program knows ${VERSION}.`,
      { remedy: 'Restore it with the newer program that wrote it.' },
    );
  const { files, epoch, coordinator } = manifest;
  if (!Number.isSafeInteger(epoch) || typeof coordinator !== 'string')
    throw damaged(path, 'a field is wrong');
  if (!Array.isArray(files) || !files.every(isFile)) throw damaged(path, 'its list of files is wrong');
  const paths = new Set(files.map((file) => file.path));
  if (paths.size !== files.length || !paths.has(DATABASE_FILE) || !paths.has(IDENTITY_FILE))
    throw damaged(path, 'its list of files is not whole');
  return manifest;
}

function isFile(value: unknown): value is BackupFile {
  const { path, bytes, sha256 } = (value ?? {}) as Partial<BackupFile>;
  return (
    typeof path === 'string' &&
    PATH.test(path) &&
    Number.isSafeInteger(bytes) &&
    /^[0-9a-f]{64}$/.test(String(sha256))
  );
}

function damaged(path: string, why: string): TributaryError {
  return new TributaryError('malformed', `${path}: ${why}.`, { remedy: 'Take another backup.' });
}
