/** Deletes models that nothing names: uploaded for a run that was never started, or summed in an attempt that ended void. */
import type { Blobs, Store } from './ports.ts';

/** Whoever uploads a model has this long to name it in a run, and a sum to be committed: milliseconds. */
export const GRACE_MS = 60 * 60 * 1000;

export interface CollectDeps {
  readonly store: Pick<Store, 'namedBlobs'>;
  readonly blobs: Pick<Blobs, 'list' | 'collect'>;
  /** In memory, so that somebody may be about to name it. */
  readonly isHeld: (hash: string) => boolean;
  readonly now?: () => number;
}

/** @returns what was deleted */
export async function collectBlobs({ store, blobs, isHeld, now = Date.now }: CollectDeps): Promise<string[]> {
  const old = (await blobs.list()).filter(({ put }) => put < now() - GRACE_MS);
  // After the list: what is named meanwhile was put before, or is younger than the grace.
  const named = await store.namedBlobs();
  const stray = old.filter(({ hash }) => !named.has(hash) && !isHeld(hash));
  return stray.filter((blob) => blobs.collect(blob)).map(({ hash }) => hash);
}
