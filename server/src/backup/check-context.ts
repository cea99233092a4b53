import type { Store } from '../storage/ports.ts';

export interface CheckContext {
  readonly folder: string;
  /** Over a copy of the folder's database. */
  readonly store: Store;
}
