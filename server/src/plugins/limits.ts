/** Bounds on what strangers may do, and the headers that keep browsers from doing more. */
import { isIPv6 } from 'node:net';
import type { FastifyInstance } from 'fastify';

const WINDOW_MS = 60_000;
/** Failures per address and window that are answered in full. */
const FAILURES = 60;
/** Addresses remembered: some 1 MB. */
const ADDRESSES = 10_000;

export interface FailureLimiter {
  /**
   * Notes a failure of this address. @returns true once there were too many: answer rate-limited, log nothing.
   * Only failures are ever refused. Secrets have 256 bits, so that guessing is hopeless anyhow, and nobody can lock out
   * others behind the same address.
   */
  failed(address: string): boolean;
  /** Addresses remembered now. */
  readonly size: number;
}

export function createFailureLimiter(now: () => number = Date.now): FailureLimiter {
  /** Oldest window first. */
  const windows = new Map<string, { start: number; failures: number }>();
  return {
    failed(address) {
      const from = networkOf(address);
      const time = now();
      const window = windows.get(from);
      if (window && time - window.start < WINDOW_MS) return ++window.failures > FAILURES;
      windows.delete(from);
      windows.set(from, { start: time, failures: 1 });
      for (const [old, { start }] of windows) {
        if (windows.size <= ADDRESSES && time - start < WINDOW_MS) break;
        windows.delete(old);
      }
      return false;
    },
    get size() {
      return windows.size;
    },
  };
}

/**
 * What counts as one sender: an IPv4 address, however it is written; of IPv6 the /64 that one customer holds. Of a
 * connection that is gone there is none.
 */
export function networkOf(address = ''): string {
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length);
  // A proxy may hand on anything.
  if (!isIPv6(address)) return address.slice(0, 64);
  const [head = '', tail = ''] = address.split('::', 2) as [string, string?];
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const zeros = address.includes('::') ? 8 - left.length - right.length : 0;
  return [...left, ...Array(Math.max(0, zeros)).fill('0'), ...right].slice(0, 4).join(':');
}

/** Routes that serve something to keep or to show override these. */
export function installHeaders(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
    });
  });
}
