/** Nonces of signed requests that were used, so that none is taken twice (PROTOCOL.md 4.3). */
import { LIMITS, TributaryError } from '@tributary/protocol';

/** A signed time lies within the clock skew of now, before or after: no claim lives longer than twice that. */
const LIFE_MS = 2 * LIMITS.clockSkewMs;
/** Live nonces per identity; a node signs a handful of requests before it has a session. */
const PER_IDENTITY = 1000;

export interface Nonces {
  /** @throws unauthenticated for one that was used, rate-limited when the identity used too many lately. */
  use(identity: string, nonce: string): void;
}

/**
 * Only identities that are enrolled get here, so that strangers cannot fill it; and a full one refuses instead of
 * forgetting, so that flooding is no way to replay.
 */
export function createNonces(now: () => number = Date.now): Nonces {
  /** Expiry by nonce, oldest first, by identity. */
  const used = new Map<string, Map<string, number>>();
  return {
    use(identity, nonce) {
      const time = now();
      const own = used.get(identity) ?? new Map<string, number>();
      used.set(identity, own);
      for (const [old, expires] of own) {
        if (expires > time) break;
        own.delete(old);
      }
      if (own.has(nonce)) throw new TributaryError('unauthenticated', 'This signed request was used before.');
      if (own.size >= PER_IDENTITY)
        throw new TributaryError(
          'rate-limited',
          `More than ${PER_IDENTITY} signed requests of one node within ${LIFE_MS / 60_000} minutes.`,
        );
      own.set(nonce, time + LIFE_MS);
    },
  };
}
