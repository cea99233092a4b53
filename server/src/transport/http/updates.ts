/**
 * Masked updates of an attempt's members. First write wins; acknowledged only when file and row are durable; what was
 * broken off goes on from the last durable byte (PROTOCOL.md 8.5).
 */
import { Hash, TributaryError, validate } from '@tributary/protocol';
import type { FastifyInstance } from 'fastify';
import { nodeOf } from '../../plugins/auth.ts';
import { announcedLength, octetStream } from './bodies.ts';
import type { UpdatesDeps } from './ports.ts';
import { createUploads, watchProgress } from './uploads.ts';

interface Update {
  Params: { attempt: string };
  Querystring: Readonly<Record<string, unknown>>;
}

export function updateRoutes(fastify: FastifyInstance, deps: UpdatesDeps): void {
  const { auth, spool, uploads } = deps;
  const begun = createUploads();
  const own = { onRequest: auth.node('session') };

  fastify.get<Update>('/v1/updates/:attempt', own, async (request, reply) => {
    const attempt = validate(Hash, request.params.attempt, 'attempt');
    const sha256 = validate(Hash, request.query.sha256, 'sha256');
    const { member } = nodeOf(request);
    const { bytes } = await uploads.expect(attempt, member);
    // Whoever asks has lost the connection of the upload before; what it brought is synced before the answer.
    begun.cut(member, attempt);
    const held = await spool.held(attempt, member, sha256);
    const offset = held === 'all' ? bytes : held;
    return reply.header('upload-offset', offset).header('upload-length', bytes).send({ offset, bytes });
  });

  const bulk = { ...own, bodyLimit: Number.MAX_SAFE_INTEGER };
  fastify.put<Update>('/v1/updates/:attempt', bulk, async (request) => {
    const attempt = validate(Hash, request.params.attempt, 'attempt');
    const { member, digest: sha256 } = nodeOf(request);
    const { bytes } = await uploads.expect(attempt, member);
    const offset = offsetOf(request.query.offset, bytes);
    const stream = octetStream(request, bytes - offset);
    const announced = announcedLength(request) ?? bytes - offset;
    if (announced !== bytes - offset)
      throw new TributaryError(
        'malformed',
        `The update has ${offset + announced} bytes, this attempt needs ${bytes}.`,
      );
    const done = begun.begin(member, attempt, request.raw);
    const watch = watchProgress(request, begun.pace(member, attempt), async () => {
      await uploads.expect(attempt, member);
      uploads.progress?.(attempt, member);
    });
    try {
      await Promise.race([spool.receive(attempt, member, stream, { sha256, bytes, offset }), watch.stalled]);
    } finally {
      watch.stop();
      done();
    }
    await uploads.received({ attempt, member, sha256, bytes });
    return { accepted: true };
  });
}

/** @throws malformed unless it is a place in the update, or left out */
function offsetOf(given: unknown, bytes: number): number {
  if (given === undefined) return 0;
  const offset = typeof given === 'string' && /^(0|[1-9]\d{0,14})$/.test(given) ? Number(given) : Number.NaN;
  if (offset <= bytes) return offset;
  throw new TributaryError('malformed', `request: offset is not a number of bytes from 0 to ${bytes}.`);
}
