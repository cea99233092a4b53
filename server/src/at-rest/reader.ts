/** Reading files of blobs and spool, as they are or encrypted: all at once, in order, or anywhere in them. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { asFileError } from '../storage/files.ts';
import { damagedFile, extentOf, FRAME, frameAt, HEADER, openFrame, SEALED_FRAME, saltOf } from './frames.ts';
import { type BlobKey, fileKey } from './key.ts';
import type { Begun } from './sealer.ts';

/** Null: the files are not encrypted. */
export type AtRest = BlobKey | null;

/** Frames that are read at once. */
const BATCH = 16;

/** SHA-256 of the plain bytes, hex. @throws what the file system says; EBADMSG when it does not decrypt */
export async function hashOf(path: string, key: AtRest = null): Promise<string> {
  const hash = createHash('sha256');
  if (key) for await (const chunk of openChunks(path, key)) hash.update(chunk);
  else await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** @throws what the file system says; EBADMSG when it does not decrypt */
export async function readWhole(path: string, key: AtRest = null): Promise<Buffer> {
  if (!key) return readFile(path);
  const chunks: Buffer[] = [];
  for await (const chunk of openChunks(path, key)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The plain bytes, in order; the caller may keep the chunks. */
export async function* openChunks(path: string, key: BlobKey): AsyncGenerator<Buffer> {
  const handle = await open(path, 'r');
  try {
    const extent = extentOf((await handle.stat()).size);
    const salt = saltOf(await readAt(handle, 0, HEADER));
    if (!extent || !salt) throw damagedFile(path);
    const secret = fileKey(key, salt, path);
    for (let first = 0; first < extent.frames; first += BATCH) {
      const batch = await readAt(handle, frameAt(first), BATCH * SEALED_FRAME);
      const last = Math.min(first + BATCH, extent.frames);
      for (let index = first; index < last; index++) {
        const frame = batch.subarray((index - first) * SEALED_FRAME, (index - first + 1) * SEALED_FRAME);
        const text = openFrame(secret, index, index === extent.frames - 1, frame);
        if (!text) throw damagedFile(path);
        yield text;
      }
    }
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(buffer, filled, bytes - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** What can be gone on with: all whole frames that authenticate; null when there are none. */
export async function scanBegun(
  handle: FileHandle,
  path: string,
  key: BlobKey,
): Promise<{ begun: Begun; hash: Hash } | null> {
  const salt = saltOf(await readAt(handle, 0, HEADER));
  if (!salt) return null;
  const secret = fileKey(key, salt, path);
  const hash = createHash('sha256');
  let frames = 0;
  for (;;) {
    // The last frame of a file that got its end just before a crash is none of them: it comes again.
    const text = openFrame(secret, frames, false, await readAt(handle, frameAt(frames), SEALED_FRAME));
    if (text?.length !== FRAME) break;
    hash.update(text);
    frames++;
  }
  return frames > 0 ? { begun: { salt, frames }, hash } : null;
}

export async function readSalt(handle: FileHandle, path: string): Promise<Buffer> {
  const salt = saltOf(await readAt(handle, 0, HEADER));
  if (!salt) throw damagedFile(path);
  return salt;
}

export interface OpenFile {
  /** Plain bytes. */
  readonly size: number;
  /** @param position of the plain bytes. @returns how many came; 0 at the end */
  read(into: Uint8Array, position: number): number;
  close(): void;
}

/** Synchronous: for a thread of its own. @throws storage-failed */
export function openFile(path: string, key: AtRest): OpenFile {
  const typed = <T>(work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw asFileError(cause, `Reading ${basename(path)} failed`);
    }
  };
  const handle = typed(() => openSync(path, 'r'));
  try {
    const { size, read, close } = typed(() => (key ? openSealed(handle, path, key) : openPlain(handle)));
    return { size, close, read: (into, position) => typed(() => read(into, position)) };
  } catch (error) {
    closeSync(handle);
    throw error;
  }
}

function openPlain(handle: number): OpenFile {
  return {
    size: fstatSync(handle).size,
    read: (into, position) => readSync(handle, into, 0, into.length, position),
    close: () => closeSync(handle),
  };
}

function openSealed(handle: number, path: string, key: BlobKey): OpenFile {
  const extent = extentOf(fstatSync(handle).size);
  const buffer = Buffer.allocUnsafe(SEALED_FRAME);
  const salt = saltOf(buffer.subarray(0, readSync(handle, buffer, 0, HEADER, 0)));
  if (!extent || !salt) throw damagedFile(path);
  const secret = fileKey(key, salt, path);
  /** Reads that do not end with a frame go on in it. */
  let open: { index: number; text: Buffer } | null = null;

  function frame(index: number): Buffer {
    if (open?.index === index) return open.text;
    let filled = 0;
    while (filled < SEALED_FRAME) {
      const read = readSync(handle, buffer, filled, SEALED_FRAME - filled, frameAt(index) + filled);
      if (read === 0) break;
      filled += read;
    }
    const text = openFrame(secret, index, index === extent!.frames - 1, buffer.subarray(0, filled));
    if (!text) throw damagedFile(path);
    open = { index, text };
    return text;
  }

  return {
    size: extent.bytes,
    read(into, position) {
      let done = 0;
      while (done < into.length && position + done < extent.bytes) {
        const index = Math.floor((position + done) / FRAME);
        const from = position + done - index * FRAME;
        const part = frame(index).subarray(from, from + into.length - done);
        into.set(part, done);
        done += part.length;
      }
      return done;
    },
    close: () => closeSync(handle),
  };
}
