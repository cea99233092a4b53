/** Immutable models by SHA-256: uploaded by operators, downloaded by people and nodes. */
import { Hash, LIMITS, TributaryError, validate } from '@tributary/protocol';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { personOf } from '../../plugins/auth.ts';
import { octetStream } from './bodies.ts';
import { createDownloads } from './downloads.ts';
import type { BlobsDeps } from './ports.ts';
import { matchesEtag, parseRange } from './ranges.ts';

type ByHash = { Params: { sha256: string } };

export function blobRoutes(fastify: FastifyInstance, deps: BlobsDeps): void {
  const { auth, blobs, modelCache } = deps;
  const downloads = createDownloads();

  const upload = { onRequest: auth.person('operator'), bodyLimit: LIMITS.blob };
  fastify.put<ByHash>('/v1/blobs/:sha256', upload, async (request, reply) => {
    const sha256 = validate(Hash, request.params.sha256, 'hash');
    const stream = octetStream(request, LIMITS.blob);
    const bytes = await blobs.receive(stream, { sha256, maxBytes: LIMITS.blob });
    request.log.info({ audit: 'blob.stored', by: personOf(request).name, sha256, bytes }, 'blob stored');
    return reply.code(201).send({ sha256, bytes });
  });

  const download = { onRequest: auth.personOrNode('researcher') };
  fastify.get<ByHash>('/v1/blobs/:sha256', download, async (request, reply) => {
    const sha256 = validate(Hash, request.params.sha256, 'hash');
    const etag = `"${sha256}"`;
    reply.raw.once('close', downloads.begin(request.caller, sha256));
    const whole = await modelCache.get(sha256);
    reply.headers({
      etag,
      'accept-ranges': 'bytes',
      'cache-control': 'private, max-age=31536000, immutable',
    });
    if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send();

    const range = parseRange(
      request.headers.range,
      [request.headers['if-range']].flat()[0],
      etag,
      whole.length,
    );
    if (range === 'unsatisfiable') return refuseRange(reply, whole.length);
    const part = range === 'whole' ? whole : whole.subarray(range.start, range.end);
    if (range !== 'whole')
      reply.code(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${whole.length}`);
    const member = request.caller?.kind === 'node' ? request.caller.member : null;
    if (request.method === 'GET')
      countSent(reply, part.length, (bytes) => deps.onBytesDown(sha256, member, bytes));
    return reply.type('application/octet-stream').send(part);
  });
}

/** The status that the RFC wants, with the Problem that ours wants. */
function refuseRange(reply: FastifyReply, size: number): FastifyReply {
  const problem = new TributaryError('malformed', `The range lies outside the ${size} bytes of the blob.`);
  return reply
    .code(416)
    .headers({ 'content-range': `bytes */${size}`, 'cache-control': 'no-store' })
    .type('application/problem+json')
    .send(JSON.stringify(problem.toProblem()));
}

/** Reports the body's bytes once they are sent; of a broken download those that left, headers included. */
function countSent(reply: FastifyReply, bytes: number, report: (bytes: number) => void): void {
  const { raw } = reply;
  const { socket } = raw;
  const before = socket?.bytesWritten ?? 0;
  let reported = false;
  const once = (sent: number) => {
    if (!reported) report(sent);
    reported = true;
  };
  raw.once('finish', () => once(bytes));
  raw.once('close', () => once(Math.min(bytes, (socket?.bytesWritten ?? before) - before)));
}
