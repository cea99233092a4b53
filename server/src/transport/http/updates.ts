/** Masked updates of an attempt's members. First write wins; acknowledged only when file and row are durable. */
import type { Readable } from 'node:stream';
import { Hash, TributaryError, validate } from '@tributary/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { nodeOf } from '../../plugins/auth.ts';
import { announcedLength, octetStream } from './bodies.ts';
import type { UpdatesDeps } from './ports.ts';

const TICK_MS = 1000;
/** Slower than this does not count as progress, or a trickle could hold up a round: bytes per second. */
const MIN_RATE = 1024;
/** Attempts that one member uploads to at the same time: one in each run that it takes part in. */
const MAX_UPLOADS = 8;

export function updateRoutes(fastify: FastifyInstance, deps: UpdatesDeps): void {
  const { auth, spool, uploads } = deps;
  const options = { onRequest: auth.node('session'), bodyLimit: Number.MAX_SAFE_INTEGER };
  const begin = createUploads();

  fastify.put<{ Params: { attempt: string } }>('/v1/updates/:attempt', options, async (request) => {
    const attempt = validate(Hash, request.params.attempt, 'attempt');
    const { member, digest: sha256 } = nodeOf(request);
    const { bytes } = await uploads.expect(attempt, member);
    const stream = octetStream(request, bytes);
    const announced = announcedLength(request) ?? bytes;
    if (announced !== bytes)
      throw new TributaryError(
        'malformed',
        `The update has ${announced} bytes, this attempt needs ${bytes}.`,
      );
    const done = begin(member, attempt, request.raw);
    const stop = reportProgress(request, () => uploads.progress?.(attempt, member));
    try {
      await spool.receive(attempt, member, stream, { sha256, bytes });
    } finally {
      stop();
      done();
    }
    await uploads.received({ attempt, member, sha256, bytes });
    return { accepted: true };
  });
}

interface Upload {
  readonly attempt: string;
  readonly body: Readable;
}

/**
 * Uploads under way. A node that sends again has lost its connection, whatever the older socket says: the older upload
 * is cut off, so that one member never holds more disk than one vector per attempt.
 */
function createUploads(): (member: string, attempt: string, body: Readable) => () => void {
  /** By member, oldest first. */
  const open = new Map<string, readonly Upload[]>();
  return (member, attempt, body) => {
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
  };
}

/** Watches the socket instead of the stream: nothing is added to the hot path. */
function reportProgress(request: FastifyRequest, report: () => void): () => void {
  const { socket } = request.raw;
  let seen = socket.bytesRead;
  const timer = setInterval(() => {
    const arrived = socket.bytesRead - seen;
    seen = socket.bytesRead;
    if (arrived < (MIN_RATE * TICK_MS) / 1000) return;
    try {
      report();
    } catch (error) {
      // The attempt may have ended meanwhile; the upload itself is told so at its end.
      request.log.debug({ err: error }, 'progress of an upload that nobody waits for');
    }
  }, TICK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
