/** Where updates and models are read from: the disk, or the simulator's. Synchronous: it runs in a thread of its own. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

export interface OpenFile {
  readonly size: number;
  /** @returns how many bytes came; 0 at the end */
  read(into: Uint8Array, position: number): number;
  close(): void;
}

/** @throws when there is no such file */
export type OpenForReading = (path: string) => OpenFile;

export const openOnDisk: OpenForReading = (path) => {
  const handle = openSync(path, 'r');
  return {
    size: fstatSync(handle).size,
    read: (into, position) => readSync(handle, into, 0, into.length, position),
    close: () => closeSync(handle),
  };
};
