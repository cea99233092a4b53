/**
 * Updates that were broken off: `MEMBER.SHA256.part`, the hash being that of the whole. Nothing in them counts before
 * the whole is there and has that hash (PROTOCOL.md 8.5).
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crashPoint } from '@tributary/protocol/node';
import { FRAME, frameAt } from '../at-rest/frames.ts';
import type { BlobKey } from '../at-rest/key.ts';
import { type AtRest, readSalt, scanBegun } from '../at-rest/reader.ts';
import { createSealer, type Sealer, type SealerOptions } from '../at-rest/sealer.ts';
import { PRIVATE_FILE } from './files.ts';
import { brokenOff, pump, type Received } from './receive.ts';

export interface Partial {
  /** Of the whole, hex. */
  readonly sha256: string;
  /** On disk and synced; where they are encrypted, those of whole frames. */
  bytes: number;
  /** Of those bytes; null when another process wrote them, so that they must be read first. */
  hash: Hash | null;
}

/** A loss of power costs no more of a slow upload: bytes. */
const SYNC_BYTES = 8 * 1024 * 1024;
const NAME = /^([A-Za-z0-9_-]{43})\.([0-9a-f]{64})\.part$/;

export function partialPath(path: string, sha256: string): string {
  return `${path}.${sha256}.part`;
}

/**
 * What a file of the spool is, at start; one that is of no use is deleted, also one of an update under another key.
 * @param name in `folder`
 */
export async function findPartial(
  folder: string,
  name: string,
  key: AtRest,
): Promise<{ path: string; partial: Partial } | null> {
  if (!name.endsWith('.part')) return null;
  const [, member, sha256] = NAME.exec(name) ?? [];
  const handle = await open(join(folder, name), key ? 'r+' : 'r');
  try {
    const { size } = await handle.stat();
    if (member && sha256 && size > 0 && !existsSync(join(folder, member))) {
      const path = join(folder, member);
      const partial = key ? await findSealed(handle, path, sha256, key) : { sha256, bytes: size, hash: null };
      // Whoever is told of these bytes may rely on them.
      await handle.sync();
      if (partial) return { path, partial };
    }
  } finally {
    await handle.close();
  }
  await rm(join(folder, name));
  return null;
}

async function findSealed(
  handle: FileHandle,
  path: string,
  sha256: string,
  key: BlobKey,
): Promise<Partial | null> {
  const found = await scanBegun(handle, path, key);
  if (!found) return null;
  await handle.truncate(frameAt(found.begun.frames));
  return { sha256, bytes: found.begun.frames * FRAME, hash: found.hash };
}

/**
 * Writes what comes behind the first `offset` bytes and syncs it. `partial` then tells what there is, also when the
 * sender broke off. @throws unavailable, too-large, and what the file system says
 */
export async function receivePartial(
  stream: Readable,
  part: string,
  partial: Partial,
  { offset, maxBytes, key }: { offset: number; maxBytes: number; key: AtRest },
): Promise<Received> {
  // Gone while it waited: what is there stays.
  if (stream.destroyed) throw brokenOff(partial.bytes);
  const handle = await open(part, offset > 0 ? 'r+' : 'w', PRIVATE_FILE);
  try {
    const hash = offset > 0 ? await hashOfPartial(handle, part, partial) : createHash('sha256');
    Object.assign(partial, { bytes: 0, hash: null });
    const sealer = key && (await sealerOf(handle, { key, path: part, hash }, offset));
    const target = { fd: handle.fd, hash, sealer, at: offset, maxBytes, syncBytes: SYNC_BYTES };
    const { bytes, broken } = await pump(stream, target);
    crashPoint('coordinator.upload.written');
    await handle.sync();
    if (!broken) return { sha256: hash.digest('hex'), bytes };
    Object.assign(partial, { bytes, hash });
    crashPoint('coordinator.partial.durable');
    throw brokenOff(bytes);
  } finally {
    await handle.close();
  }
}

async function sealerOf(handle: FileHandle, options: SealerOptions, offset: number): Promise<Sealer> {
  if (offset === 0) return createSealer(options);
  const salt = await readSalt(handle, options.path);
  return createSealer({ ...options, begun: { salt, frames: offset / FRAME } });
}

async function hashOfPartial(handle: FileHandle, part: string, partial: Partial): Promise<Hash> {
  if (partial.hash) return partial.hash;
  // Whatever lies behind what was told is overwritten, or cut off here.
  await handle.truncate(partial.bytes);
  const hash = createHash('sha256');
  await pipeline(createReadStream(part, { highWaterMark: 1 << 20 }), async (chunks) => {
    for await (const chunk of chunks) hash.update(chunk as Buffer);
  });
  return hash;
}
