/** Commands that look at a data folder hold its database for a moment: who comes then waits for them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TributaryError } from '@tributary/protocol';

/** Milliseconds. A check of a large folder holds the database only while it copies it. */
const PATIENCE = 10_000;
const PAUSE = 50;

/**
 * Tries again while it says `already-running`.
 * @param hopeless tells when waiting is of no use
 * @throws what the last try threw
 */
export async function onceFree<T>(
  open: () => Promise<T>,
  { hopeless = async () => false, patience = PATIENCE }: OnceFreeOptions = {},
): Promise<T> {
  for (const end = Date.now() + patience; ; ) {
    try {
      return await open();
    } catch (error) {
      const held = error instanceof TributaryError && error.code === 'already-running';
      if (!held || Date.now() >= end || (await hopeless())) throw error;
      await sleep(PAUSE);
    }
  }
}

export interface OnceFreeOptions {
  readonly hopeless?: () => Promise<boolean>;
  /** Milliseconds. */
  readonly patience?: number;
}
