/** Bulk bodies reach their route as the stream itself: never buffered, never parsed. */
import { Readable } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const OCTETS = 'application/octet-stream';

export function installOctetStreams(fastify: FastifyInstance): void {
  fastify.removeContentTypeParser('text/plain');
  fastify.addContentTypeParser(OCTETS, (_request, payload, done) => done(null, payload));
}

/** @throws malformed for a body of another type; too-large when its announced length is above `maxBytes` */
export function octetStream(request: FastifyRequest, maxBytes: number): Readable {
  if (!(request.body instanceof Readable))
    throw new TributaryError('malformed', `The body must have the content type ${OCTETS}.`);
  const length = announcedLength(request);
  if (length !== undefined && length > maxBytes)
    throw new TributaryError('too-large', `The body has ${length} bytes, ${maxBytes} is the limit.`);
  return request.body;
}

export function announcedLength(request: FastifyRequest): number | undefined {
  const header = request.headers['content-length'];
  return header === undefined ? undefined : Number(header);
}
