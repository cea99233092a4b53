/**
 * How much one caller may ask for over HTTP: requests a second, requests at the same time, and time for a body. Counted by
 * node, by token, and for those who show neither by address; so nobody locks out another, not even behind one address.
 * Who fails to show who it is has a limit of its own (limits.ts).
 */
import { PassThrough, type Readable } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createBuckets, type Rate } from './buckets.ts';
import { networkOf } from './limits.ts';
import { createNotices } from './notices.ts';

/** A node asks for two things in a round; people and their programs look now and then. */
const RATE: Rate = { perSecond: 100, burst: 1000 };
/** A node downloads a model and uploads a vector in each run; people follow some runs. */
const AT_ONCE = 64;
/** For a body that is held in memory until it is whole, in milliseconds. Bulk has a pace of its own. */
const BODY_MS = 30_000;

export interface RateOptions {
  readonly rate?: Rate;
  readonly atOnce?: number;
  readonly bodyMs?: number;
  readonly now?: () => number;
}

/** After `installAuth`'s hooks of the route, so that it is known who asks, and before a byte of the body is read. */
export function installRates(fastify: FastifyInstance, options: RateOptions = {}): void {
  const { rate = RATE, atOnce = AT_ONCE, bodyMs = BODY_MS, now = Date.now } = options;
  const buckets = createBuckets(rate, now);
  const notices = createNotices(now);
  const underWay = new Map<string, number>();

  function refuse(request: FastifyRequest, reply: FastifyReply, who: string, waitMs: number, why: string) {
    if (notices.due(who))
      request.log.warn({ audit: 'rate.limited', who, address: request.ip }, 'too many requests');
    reply.header('retry-after', Math.ceil(waitMs / 1000));
    return new TributaryError('rate-limited', why);
  }

  fastify.addHook('preParsing', async (request, reply, payload) => {
    // Nobody waits for the answer, and nothing would tell of its end.
    if (request.raw.socket.destroyed) throw new TributaryError('malformed', 'The connection broke off.');
    const who = callerOf(request);
    const wait = buckets.take(who);
    if (wait > 0)
      throw refuse(request, reply, who, wait, `More than ${rate.perSecond} requests a second of one caller.`);
    const busy = underWay.get(who) ?? 0;
    if (busy >= atOnce)
      throw refuse(request, reply, who, 1000, `More than ${atOnce} requests of one caller at the same time.`);
    underWay.set(who, busy + 1);
    reply.raw.once('close', () => {
      const left = underWay.get(who)! - 1;
      if (left === 0) underWay.delete(who);
      else underWay.set(who, left);
    });
    return isBuffered(request) ? hurried(payload as Readable, bodyMs) : payload;
  });
}

function callerOf({ caller, ip }: FastifyRequest): string {
  if (!caller) return `address ${networkOf(ip)}`;
  return caller.kind === 'node' ? `node ${caller.member}` : `token ${caller.name}`;
}

/** Only JSON bodies are held in memory; of other types bodies are streams, or refused. */
function isBuffered({ headers }: FastifyRequest): boolean {
  const announced = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
  return announced && /json/i.test(headers['content-type'] ?? '');
}

/** The same bytes, or timed-out: a body that trickles in must not be waited for. */
function hurried(payload: Readable, ms: number): Readable {
  const copy = new PassThrough();
  const late = () => copy.destroy(new TributaryError('timed-out', `No whole body within ${ms / 1000} s.`));
  const timer = setTimeout(late, ms).unref();
  // A request that is refused for its headers leaves nobody who listens.
  copy.on('error', () => {});
  copy.once('close', () => {
    clearTimeout(timer);
    payload.unpipe(copy);
  });
  payload.once('error', (error) => copy.destroy(error));
  payload.once('close', () => {
    if (!payload.readableEnded) copy.destroy(new TributaryError('malformed', 'The body broke off.'));
  });
  return payload.pipe(copy);
}
