/** Writing an encrypted file: bytes go in as they come, frames come out. */
import { type Hash, randomBytes } from 'node:crypto';
import { FRAME, frameAt, makeHeader, SALT, sealFrame } from './frames.ts';
import { type BlobKey, fileKey } from './key.ts';

export interface Sealer {
  /** Where what comes out first belongs in the file. */
  readonly position: number;
  /** Plain bytes in the frames that came out, those that were there before included. */
  bytes(): number;
  /** The last 1 to 65,536 bytes stay inside: they may be the last frame. */
  push(chunk: Buffer): Buffer[];
  end(): Buffer[];
}

/** What is in the file already. */
export interface Begun {
  readonly salt: Buffer;
  /** Whole frames, none of them the last. */
  readonly frames: number;
}

export interface SealerOptions {
  readonly key: BlobKey;
  /** Where the file lies, or a part of it that will. */
  readonly path: string;
  /** Of the plain bytes in the file; goes on with those of each frame that comes out. */
  readonly hash: Hash;
  readonly begun?: Begun | undefined;
}

export function createSealer({ key, path, hash, begun }: SealerOptions): Sealer {
  const salt = begun?.salt ?? randomBytes(SALT);
  const secret = fileKey(key, salt, path);
  let frames = begun?.frames ?? 0;
  let header = begun ? [] : [makeHeader(salt)];
  let bytes = frames * FRAME;
  let inside: Buffer[] = [];
  let size = 0;

  function seal(last: boolean): Buffer[] {
    for (const piece of inside) hash.update(piece);
    const sealed = [...header, ...sealFrame(secret, frames++, last, inside)];
    bytes += size;
    [header, inside, size] = [[], [], 0];
    return sealed;
  }

  return {
    position: begun ? frameAt(begun.frames) : 0,
    bytes: () => bytes,
    push(chunk) {
      const sealed: Buffer[] = [];
      let rest = chunk;
      while (size + rest.length > FRAME) {
        const head = rest.subarray(0, FRAME - size);
        rest = rest.subarray(head.length);
        inside.push(head);
        size = FRAME;
        sealed.push(...seal(false));
      }
      if (rest.length > 0) inside.push(rest);
      size += rest.length;
      return sealed;
    },
    end: () => seal(true),
  };
}

/** Bytes that are encrypted at once. */
const BLOCK = 16 * FRAME;

/** A whole file, in blocks. */
export function* sealWhole(bytes: Uint8Array, options: SealerOptions): Generator<Buffer> {
  const sealer = createSealer(options);
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole.length; at += BLOCK)
    yield Buffer.concat(sealer.push(whole.subarray(at, at + BLOCK)));
  yield Buffer.concat(sealer.end());
}
