/** Masked updates of an attempt's members. First write wins; acknowledged only when file and row are durable. */
import { Hash, TributaryError, validate } from '@tributary/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { nodeOf } from '../../plugins/auth.ts';
import { announcedLength, octetStream } from './bodies.ts';
import type { UpdatesDeps } from './ports.ts';

const TICK_MS = 1000;
/** Slower than this does not count as progress, or a trickle could hold up a round: bytes per second. */
const MIN_RATE = 1024;

export function updateRoutes(fastify: FastifyInstance, deps: UpdatesDeps): void {
  const { auth, spool, uploads } = deps;
  const options = { onRequest: auth.node('session'), bodyLimit: Number.MAX_SAFE_INTEGER };

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
    const stop = reportProgress(request, () => uploads.progress?.(attempt, member));
    try {
      await spool.receive(attempt, member, stream, { sha256, bytes });
    } finally {
      stop();
    }
    await uploads.received({ attempt, member, sha256, bytes });
    return { accepted: true };
  });
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
