/**
 * One Buffer per model for all downloads: a round's partners all want the same bytes, and serving them from shared
 * memory costs a tenth of reading a file for each.
 */
import type { Blobs } from './ports.ts';

export interface BlobCache {
  /** The whole blob, shared: never write into it. @throws not-found, storage-failed */
  get(hash: string): Promise<Buffer>;
  /** A blob that was just made, so that its first download reads no file. */
  put(hash: string, bytes: Buffer): void;
  has(hash: string): boolean;
}

/** Blobs kept at most: the heads of so many runs. Older models are history, and seldom asked for. */
const MAX_BLOBS = 16;

/** @param maxBytes kept at most, except that the last blob asked for stays whatever its size. */
export function createBlobCache(blobs: Pick<Blobs, 'read'>, maxBytes: number): BlobCache {
  /** Least recently used first. A pending read is shared, too. */
  const entries = new Map<string, { bytes: Promise<Buffer>; size: number }>();

  function evict(): void {
    let total = 0;
    for (const entry of entries.values()) total += entry.size;
    for (const [hash, entry] of entries) {
      if ((total <= maxBytes && entries.size <= MAX_BLOBS) || entries.size === 1) return;
      entries.delete(hash);
      total -= entry.size;
    }
  }

  return {
    get(hash) {
      const known = entries.get(hash);
      const entry = known ?? { bytes: blobs.read(hash), size: 0 };
      entries.delete(hash);
      entries.set(hash, entry);
      if (!known)
        entry.bytes.then(
          (bytes) => {
            entry.size = bytes.length;
            evict();
          },
          // Not kept: the blob may come, or the disk recover.
          () => entries.delete(hash),
        );
      return entry.bytes;
    },
    put(hash, bytes) {
      entries.delete(hash);
      entries.set(hash, { bytes: Promise.resolve(bytes), size: bytes.length });
      evict();
    },
    has: (hash) => entries.has(hash),
  };
}
