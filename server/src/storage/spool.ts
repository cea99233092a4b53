/** The Spool port as folders: `ATTEMPT/MEMBER`, announcement hash in hex and identity key in base64url. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TributaryError } from '@tributary/protocol';
import { requireSameHash } from './blobs.ts';
import { asFileError, makeFolder, partOf, publish, removeStrays, requireHash, requireKey } from './files.ts';
import type { Spool } from './ports.ts';
import { receiveFile } from './receive.ts';

/** Opens the folder, makes it if it is missing, and deletes what a crash left. @throws storage-failed */
export async function openSpoolFolder(folder: string): Promise<Spool> {
  const attemptFolder = (attempt: string) => join(folder, requireHash(attempt));
  const pathOf = (attempt: string, member: string) => join(attemptFolder(attempt), requireKey(member));
  try {
    await makeFolder(folder);
    for (const attempt of await readdir(folder)) await removeStrays(join(folder, attempt));
  } catch (cause) {
    throw asFileError(cause, `The spool folder ${folder} cannot be used`);
  }

  return {
    async receive(attempt, member, stream, { sha256, bytes }) {
      const path = pathOf(attempt, member);
      if (existsSync(path)) return requireFirst(path, member, sha256);
      await makeFolder(attemptFolder(attempt));
      const part = partOf(path);
      const received = await receiveFile(stream, part, bytes);
      let kept = false;
      try {
        if (received.bytes !== bytes)
          throw new TributaryError('malformed', `The body has ${received.bytes} bytes, not ${bytes}.`);
        requireSameHash(received.sha256, sha256);
        // Two uploads of one member may overlap: the first to finish counts.
        kept = await publish(part, path, 'spool');
        if (!kept) await requireFirst(path, member, sha256);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
          throw new TributaryError('wrong-attempt', `Attempt ${attempt} ended during the upload.`);
        throw asFileError(cause, `Keeping the update of ${member} failed`);
      } finally {
        if (!kept) await rm(part, { force: true });
      }
    },
    path: pathOf,
    holds: async (attempt, member, sha256) => (await hashOf(pathOf(attempt, member))) === sha256,
    remove: (attempt) => rm(attemptFolder(attempt), { recursive: true, force: true }),
    async list() {
      const found: string[] = [];
      for (const attempt of (await readdir(folder)).sort())
        if ((await readdir(join(folder, attempt))).length > 0) found.push(attempt);
      return found;
    },
  };
}

/** Null when there is no such file, or it cannot be read. */
async function hashOf(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch {
    return null;
  }
  return hash.digest('hex');
}

/** First write wins. @throws conflict when the file that is there has another hash. */
async function requireFirst(path: string, member: string, sha256: string): Promise<void> {
  if ((await hashOf(path)) !== sha256)
    throw new TributaryError(
      'conflict',
      `Member ${member} already sent another update for this attempt: the first one counts.`,
    );
}
