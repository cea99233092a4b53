/**
 * The Spool port as folders: `ATTEMPT/MEMBER`, announcement hash in hex and identity key in base64url. What has come of
 * an update that is not there yet lies beside it, with the hash that it is to have, until the attempt is removed.
 */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { type AtRest, hashOf } from '../at-rest/reader.ts';
import { requireSameHash } from './blobs.ts';
import { asFileError, HASH, makeFolder, publish, requireHash, requireKey, syncFolder } from './files.ts';
import { findPartial, type Partial, partialPath, receivePartial } from './partials.ts';
import type { ResumableSpool } from './ports.ts';

/** Attempts whose end is remembered: more than can have an upload on its way. */
const MAX_REMOVED = 1024;

interface Upload {
  readonly partial: Partial;
  /** While somebody writes; never fails. */
  busy: Promise<void> | null;
}

/**
 * Opens the folder, makes it if it is missing, and deletes what a crash left of no use. Updates that were broken off
 * stay: whoever knows which attempts are open removes the others. @throws storage-failed
 */
export async function openSpoolFolder(folder: string, key: AtRest = null): Promise<ResumableSpool> {
  const attemptFolder = (attempt: string) => join(folder, requireHash(attempt));
  const pathOf = (attempt: string, member: string) => join(attemptFolder(attempt), requireKey(member));
  /** Of updates that are not complete, by their path: one for each attempt and member. */
  const uploads = new Map<string, Upload>();
  /** Attempts that are over, newest last: what comes late for one of them leaves nothing. */
  const removed = new Set<string>();
  /** Hashes of complete files, by path, as far as this process knows them: to answer without reading. */
  const complete = new Map<string, string>();
  try {
    await makeFolder(folder);
    for (const attempt of await attemptsIn(folder))
      for (const name of await readdir(join(folder, attempt))) {
        const found = await findPartial(join(folder, attempt), name, key);
        if (found) uploads.set(found.path, { partial: found.partial, busy: null });
      }
  } catch (cause) {
    throw asFileError(cause, `The spool folder ${folder} cannot be used`);
  }

  /** First write wins. @throws conflict when the file that is there has another hash. */
  async function requireFirst(path: string, member: string, sha256: string): Promise<void> {
    const known = complete.get(path) ?? (await found(path, member));
    complete.set(path, known);
    if (known !== sha256) throw conflict(member);
  }

  /** A crash may have come before its name was durable, and whoever is told of it may rely on it. @throws storage-failed */
  async function found(path: string, member: string): Promise<string> {
    try {
      const hash = await hashOf(path, key);
      await syncFolder(dirname(path));
      return hash;
    } catch (cause) {
      throw asFileError(cause, `Looking at the update of ${member} failed`);
    }
  }

  /** What has come of it so far. @throws conflict when another one has begun */
  function begun(path: string, member: string, sha256: string): Upload | undefined {
    const upload = uploads.get(path);
    if (upload && upload.partial.sha256 !== sha256) throw conflict(member);
    return upload;
  }

  return {
    async receive(attempt, member, stream, { sha256, bytes, offset = 0 }) {
      const path = pathOf(attempt, member);
      requireHash(sha256);
      // Nothing may be awaited between the end of this loop and the claim below.
      while (begun(path, member, sha256)?.busy) await begun(path, member, sha256)?.busy;
      if (removed.has(attempt)) throw over(attempt);
      if (existsSync(path)) return requireFirst(path, member, sha256);
      const upload = begun(path, member, sha256) ?? newUpload(sha256);
      const { partial } = upload;
      if (offset > 0 && offset !== partial.bytes) throw wrongOffset(offset, partial.bytes);
      let free = () => {};
      upload.busy = new Promise((resolve) => {
        free = resolve;
      });
      uploads.set(path, upload);
      const part = partialPath(path, sha256);
      let keep = false;
      try {
        await makeFolder(attemptFolder(attempt));
        const received = await receivePartial(stream, part, partial, { offset, maxBytes: bytes, key }).catch(
          (error) => {
            keep = error.code === 'unavailable' && partial.bytes > 0;
            throw error;
          },
        );
        if (received.bytes !== bytes)
          throw new TributaryError('malformed', `The body has ${received.bytes} bytes, not ${bytes}.`);
        requireSameHash(received.sha256, sha256);
        await publish(part, path, 'spool');
        if (removed.has(attempt)) throw over(attempt);
        complete.set(path, sha256);
      } catch (cause) {
        if (removed.has(attempt)) throw over(attempt);
        throw asFileError(cause, `Keeping the update of ${member} failed`);
      } finally {
        // The next one starts when nothing of this one can touch its file any more.
        if (removed.has(attempt)) await removeFolder(attemptFolder(attempt)).catch(() => {});
        else if (!keep) {
          await rm(part, { force: true }).catch(() => {});
          uploads.delete(path);
        }
        upload.busy = null;
        free();
      }
    },
    async held(attempt, member, sha256) {
      const path = pathOf(attempt, member);
      requireHash(sha256);
      while (begun(path, member, sha256)?.busy) await begun(path, member, sha256)?.busy;
      if (!existsSync(path)) return begun(path, member, sha256)?.partial.bytes ?? 0;
      await requireFirst(path, member, sha256);
      return 'all';
    },
    path: pathOf,
    holds: async (attempt, member, sha256) =>
      (await hashOf(pathOf(attempt, member), key).catch(() => null)) === sha256,
    async remove(attempt) {
      const inside = join(attemptFolder(attempt), '/');
      removed.add(attempt);
      for (const oldest of removed) if (removed.size > MAX_REMOVED) removed.delete(oldest);
      for (const known of [uploads, complete])
        for (const path of known.keys()) if (path.startsWith(inside)) known.delete(path);
      await removeFolder(inside);
    },
    async list() {
      const found: string[] = [];
      for (const attempt of await attemptsIn(folder))
        if ((await readdir(join(folder, attempt))).length > 0) found.push(attempt);
      return found;
    },
  };
}

/** Sorted. Whatever else somebody has put there is none of ours. */
async function attemptsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && HASH.test(entry.name))
    .map(({ name }) => name)
    .sort();
}

async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

function over(attempt: string): TributaryError {
  return new TributaryError('wrong-attempt', `Attempt ${attempt} ended during the upload.`);
}

function newUpload(sha256: string): Upload {
  return { partial: { sha256, bytes: 0, hash: null }, busy: null };
}

function conflict(member: string): TributaryError {
  return new TributaryError(
    'conflict',
    `Member ${member} already sent another update for this attempt: the first one counts.`,
  );
}

function wrongOffset(offset: number, bytes: number): TributaryError {
  return new TributaryError('wrong-offset', `The update cannot go on at byte ${offset}: ${bytes} are there.`);
}
