import { unwatchFile, watchFile as watchStat } from 'node:fs';

/** Often enough for a person who waits at the other terminal. */
const POLL_MS = 500;

/**
 * Calls `changed` when the file was written, replaced or removed. Polls, because notifications miss files that are
 * replaced by a rename, and network folders.
 * @returns stops watching
 */
export function watchFile(path: string, changed: () => void): () => void {
  const listener = () => changed();
  watchStat(path, { interval: POLL_MS, persistent: false }, listener);
  return () => unwatchFile(path, listener);
}
