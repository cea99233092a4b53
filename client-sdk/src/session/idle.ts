/**
 * Attempts that are announced and come to no vector of this node. Each is a line in its ledger, and its rows are read for
 * nothing: a coordinator must not fill the disk by announcing for ever. Honest ones pause after an attempt that failed.
 */
import { TributaryError } from '@tributary/protocol';

/** So many at once, and one a second for ever. */
const BURST = 1000;
const REFILL_MS = 1000;

/** How many more may be announced, counted at `since`: milliseconds. */
export interface Idle {
  readonly left: number;
  readonly since: number;
}

export const FRESH: Idle = { left: BURST, since: 0 };

/** Each holds a model, and trains: runs side by side. */
const LIVE = 100;

/** @param live attempts of other runs. @throws rate-limited */
export function requireRoom(live: number): void {
  if (live < LIVE) return;
  throw new TributaryError('rate-limited', `This node is in ${live} attempts at the same time.`);
}

/** @throws rate-limited */
export function announcedOnce({ left, since }: Idle, now: number): Idle {
  const refilled = Math.min(BURST, left + Math.max(0, now - since) / REFILL_MS);
  if (refilled < 1)
    throw new TributaryError(
      'rate-limited',
      `More than ${BURST} attempts were announced that came to nothing: one a second is taken up.`,
    );
  return { left: refilled - 1, since: now };
}

/** The attempt has come to a vector. */
export function notIdle({ left, since }: Idle): Idle {
  return { left: Math.min(BURST, left + 1), since };
}
