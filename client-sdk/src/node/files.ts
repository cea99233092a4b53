/** Small private files that are whole or not there: written aside, fsynced, renamed, folder fsynced. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS, TributaryError, validate } from '@tributary/protocol';
import { crashPoint, type NodeFile } from '@tributary/protocol/node';
import type { Static, TSchema } from '@tributary/protocol/typebox';

/** Readable and writable by its owner only. */
export const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** The largest of them holds approvals: a few plans. */
const MAX_BYTES = 64 * LIMITS.plan;

export async function makePrivateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER });
    await chmod(path, PRIVATE_FOLDER);
  } catch (thrown) {
    throw storageProblem(path, thrown);
  }
}

/** @param exclusive refuses to replace a file: @throws conflict; storage-failed for what could not be read again */
export async function writeJson(path: string, value: unknown, exclusive = false): Promise<void> {
  // Not indented: what is nested deep would grow a thousandfold.
  const text = `${JSON.stringify(value)}\n`;
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw new TributaryError('storage-failed', `${path} would have more than ${MAX_BYTES} bytes.`);
  const aside = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    if (exclusive && (await exists(path))) throw new TributaryError('conflict', `${path} is there already.`);
    const file = await open(aside, 'wx', PRIVATE_FILE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    const name = basename(path, '.json') as NodeFile;
    crashPoint(`node.${name}.synced`);
    await rename(aside, path);
    crashPoint(`node.${name}.renamed`);
    await syncFolder(dirname(path));
    crashPoint(`node.${name}.durable`);
  } catch (thrown) {
    await rm(aside, { force: true });
    throw storageProblem(path, thrown);
  }
}

/** Durably gives one file the name of another, which is gone then. */
export async function replaceFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    const name = basename(to, '.json') as NodeFile;
    crashPoint(`node.${name}.renamed`);
    await syncFolder(dirname(to));
    crashPoint(`node.${name}.durable`);
  } catch (thrown) {
    throw storageProblem(to, thrown);
  }
}

/** @returns undefined when there is no such file. @throws storage-failed naming file and field when it does not fit. */
export async function readJson<S extends TSchema>(path: string, schema: S): Promise<Static<S> | undefined> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new TributaryError('storage-failed', `${path} has ${size} bytes.`);
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw storageProblem(path, thrown);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TributaryError('storage-failed', `${path} is not JSON: it was cut off or edited.`);
  }
  return validate(schema, value, path, 'storage-failed');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A rename or a new file survives a power cut only once its folder is on disk too. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const LOCK_TRIES = 250;
const LOCK_PAUSE_MS = 20;
/** Nobody holds the lock for longer than one small write; an older one was left by a crash. */
const LOCK_STALE_MS = 3000;

/** Runs read-change-write on `path` alone among processes: the command line and the running node share these files. */
export async function exclusively<T>(path: string, change: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  for (let tries = 0; ; tries++) {
    try {
      await (await open(lock, 'wx', PRIVATE_FILE)).close();
      break;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw storageProblem(lock, thrown);
      if (tries >= LOCK_TRIES)
        throw new TributaryError('already-running', `${lock} is held by another process.`);
      const age = await stat(lock).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      );
      if (age > LOCK_STALE_MS) await rm(lock, { force: true });
      else await sleep(LOCK_PAUSE_MS);
    }
  }
  try {
    return await change();
  } finally {
    await rm(lock, { force: true });
  }
}

/** The file system's word, with the path; errors of ours are passed on. */
export function storageProblem(path: string, thrown: unknown): TributaryError {
  if (thrown instanceof TributaryError) return thrown;
  const code = (thrown as NodeJS.ErrnoException | null)?.code ?? 'unknown fault';
  return new TributaryError('storage-failed', `${path}: the file system says ${code}.`, { cause: thrown });
}
