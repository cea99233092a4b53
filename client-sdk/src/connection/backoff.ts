import { setTimeout as sleep } from 'node:timers/promises';

/** Waits between tries: exponential ceiling, full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015). Milliseconds. */
export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

export const BACKOFF: Backoff = { minMs: 200, maxMs: 30_000 };

/** @param failures tries that failed in a row, from 1. @param random from 0 to 1. */
export function backoffDelay({ minMs, maxMs }: Backoff, failures: number, random = Math.random()): number {
  const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(random * ceiling);
}

/** @throws AbortError when `signal` fires */
export async function pause(backoff: Backoff, failures: number, signal: AbortSignal): Promise<void> {
  await sleep(backoffDelay(backoff, failures), undefined, { signal });
}
