/**
 * Models and masked updates, encrypted on disk: a header, then frames of AES-256-GCM (NIST SP 800-38D) that cannot be
 * cut off, put in another order, or taken from another file. The goals are those of STREAM (Hoang, Reyhanitabar, Rogaway,
 * Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO 2015), as in age: each file has a
 * key of its own (key.ts), and each frame authenticates its number and whether it is the last. Unlike there, number and
 * end are associated data, and the nonce is random: what a crash did not make durable is written again with whatever the
 * sender sends then, and the same number must not mean the same nonce.
 *
 *     header  8 bytes "TRIBENC" and version 1, 32 bytes of salt
 *     frame   12 bytes of nonce, 1 to 65,536 bytes of text (0 only in an empty file), 16 bytes of tag
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const MAGIC = Buffer.from('TRIBENC\x01', 'latin1');
export const SALT = 32;
export const HEADER = MAGIC.length + SALT;
/** Plain bytes of each frame but the last. As in age; a slow upload that breaks off loses at most one. */
export const FRAME = 64 * 1024;
const NONCE = 12;
const TAG = 16;
const OVERHEAD = NONCE + TAG;
export const SEALED_FRAME = FRAME + OVERHEAD;

export function makeHeader(salt: Uint8Array): Buffer {
  return Buffer.concat([MAGIC, salt]);
}

/** @returns the salt; null when this is not the beginning of an encrypted file */
export function saltOf(header: Buffer): Buffer | null {
  const known = header.length >= HEADER && header.subarray(0, MAGIC.length).equals(MAGIC);
  return known ? Buffer.from(header.subarray(MAGIC.length, HEADER)) : null;
}

/** Where frame `index` begins in the file. */
export function frameAt(index: number): number {
  return HEADER + index * SEALED_FRAME;
}

/** @returns how many frames a file of that many bytes holds, and its plain bytes; null when there is no such file */
export function extentOf(fileBytes: number): { frames: number; bytes: number } | null {
  const body = fileBytes - HEADER;
  const frames = Math.ceil(body / SEALED_FRAME);
  const last = body - (frames - 1) * SEALED_FRAME - OVERHEAD;
  if (frames < 1 || last < 0 || (last === 0 && frames > 1)) return null;
  return { frames, bytes: body - frames * OVERHEAD };
}

function associated(index: number, last: boolean): Buffer {
  const data = Buffer.alloc(9);
  data.writeBigUInt64BE(BigInt(index));
  data[8] = last ? 1 : 0;
  return data;
}

/** @param pieces of the text, in order. @returns the frame, in pieces */
export function sealFrame(key: KeyObject, index: number, last: boolean, pieces: readonly Buffer[]): Buffer[] {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(associated(index, last));
  const sealed = pieces.map((piece) => cipher.update(piece));
  cipher.final();
  return [nonce, ...sealed, cipher.getAuthTag()];
}

/** @returns the text; null when it is not what was sealed as this frame of this file */
export function openFrame(key: KeyObject, index: number, last: boolean, frame: Buffer): Buffer | null {
  if (frame.length < OVERHEAD) return null;
  const decipher = createDecipheriv(ALGORITHM, key, frame.subarray(0, NONCE), { authTagLength: TAG })
    .setAAD(associated(index, last))
    .setAuthTag(frame.subarray(-TAG));
  const text = decipher.update(frame.subarray(NONCE, -TAG));
  try {
    decipher.final();
  } catch {
    return null;
  }
  return text;
}

/** As the errors of a file system, so that they become `storage-failed` like those. */
export function damagedFile(path: string): Error {
  const why = `${path} is not what was encrypted there: it was changed, cut off or moved, or has another key`;
  return Object.assign(new Error(why), { code: 'EBADMSG', path });
}
