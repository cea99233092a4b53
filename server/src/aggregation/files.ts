/** Where updates and models are read from: the disk, or the simulator's. Synchronous: it runs in a thread of its own. */
import { type AtRest, type OpenFile, openFile } from '../at-rest/reader.ts';

export type { AtRest, OpenFile };

/** @throws storage-failed, also when there is no such file */
export type OpenForReading = (path: string) => OpenFile;

export function openerOf(key: AtRest): OpenForReading {
  return (path) => openFile(path, key);
}

export const openOnDisk = openerOf(null);
