/** Uploads under way: who sends what, and whether it moves. */
import type { Readable } from 'node:stream';
import { asTributaryError, TributaryError } from '@tributary/protocol';
import type { FastifyRequest } from 'fastify';

/** Attempts that one member uploads to at the same time: one in each run that it takes part in. */
const MAX_UPLOADS = 8;

interface Upload {
  readonly attempt: string;
  readonly body: Readable;
}

export interface Uploads {
  /** @returns what to call when it is over */
  begin(member: string, attempt: string, body: Readable): () => void;
  cut(member: string, attempt: string): void;
  /** Of all uploads of the member in the attempt: a new connection is no progress. */
  pace(member: string, attempt: string): Pace;
}

export interface Pace {
  /** When its bytes last counted as progress: of `performance.now()`. */
  since: number;
}

/** Paces that are remembered; the oldest are forgotten first. */
const MAX_PACES = 4096;

/**
 * A node that sends again has lost its connection, whatever the older socket says: the older upload is cut off, so that
 * one member never holds more disk than one vector per attempt.
 */
export function createUploads(): Uploads {
  /** By member, oldest first. */
  const open = new Map<string, readonly Upload[]>();
  const paces = new Map<string, Pace>();
  return {
    pace(member, attempt) {
      const name = `${member} ${attempt}`;
      const pace = paces.get(name) ?? { since: performance.now() };
      paces.delete(name);
      paces.set(name, pace);
      for (const oldest of paces.keys()) if (paces.size > MAX_PACES) paces.delete(oldest);
      return pace;
    },
    begin(member, attempt, body) {
      const before = open.get(member) ?? [];
      const same = before.filter((upload) => upload.attempt === attempt);
      const others = before.filter((upload) => upload.attempt !== attempt);
      const surplus = others.slice(0, Math.max(0, others.length + 1 - MAX_UPLOADS));
      for (const upload of [...same, ...surplus]) upload.body.destroy();
      const upload = { attempt, body };
      open.set(member, [...others.slice(surplus.length), upload]);
      return () => {
        const left = (open.get(member) ?? []).filter((other) => other !== upload);
        if (left.length > 0) open.set(member, left);
        else open.delete(member);
      };
    },
    cut(member, attempt) {
      for (const upload of open.get(member) ?? []) if (upload.attempt === attempt) upload.body.destroy();
    },
  };
}

const TICK_MS = 1000;
/** Slower than this since the last progress does not count, or a trickle could hold up a round: bytes per second. */
const MIN_RATE = 1024;
/** An upload without progress is ended, be its socket silent, half-open or a trickle: milliseconds. */
const STALL_MS = 60_000;

export interface Patience {
  readonly tickMs: number;
  readonly minRate: number;
  readonly stallMs: number;
}

export interface Watch {
  /** Never fulfilled. @throws timed-out, and what `report` throws */
  readonly stalled: Promise<never>;
  stop(): void;
}

/**
 * Watches the socket instead of the stream: nothing is added to the hot path.
 * @param report bytes keep coming. @throws when nobody waits for them any more
 */
export function watchProgress(
  request: FastifyRequest,
  pace: Pace,
  report: () => Promise<void>,
  { tickMs, minRate, stallMs }: Patience = { tickMs: TICK_MS, minRate: MIN_RATE, stallMs: STALL_MS },
): Watch {
  const { raw } = request;
  const { socket } = raw;
  let seen = socket.bytesRead;
  let moved = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      // The rest is the disk's.
      if (raw.readableEnded) return;
      const now = performance.now();
      const arrived = socket.bytesRead - seen;
      if (arrived * 1000 < minRate * Math.min(now - pace.since, stallMs)) {
        if (now - moved < stallMs) return;
        const rate = `fewer than ${minRate} bytes a second for ${stallMs / 1000} s`;
        reject(new TributaryError('timed-out', `The upload brought ${rate}.`));
        return;
      }
      seen += arrived;
      moved = now;
      pace.since = now;
      report().catch((error) => reject(asTributaryError(error)));
    }, tickMs);
    timer.unref();
  });
  // Whoever does not wait for it is done already.
  stalled.catch(() => {});
  return { stalled, stop: () => clearInterval(timer) };
}
