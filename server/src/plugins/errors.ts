/** Every failed request is answered with a Problem from the error table, and nothing else: no stack, no internals. */
import { asTributaryError, ERRORS, TributaryError } from '@tributary/protocol';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** A refused sender may go on sending for this long, so that it reads the refusal instead of a reset: milliseconds. */
const DRAIN_MS = 5000;

export function installErrors(fastify: FastifyInstance): void {
  fastify.setErrorHandler(sendProblem);
  fastify.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!.slice(0, 100);
    return sendProblem(
      new TributaryError('not-found', `There is no ${request.method} ${path}.`),
      request,
      reply,
    );
  });
}

/** Also Fastify's `frameworkErrors` option, for requests that fail before a route is found. */
export function sendProblem(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const error = toTributary(thrown, request);
  if (error.code === 'internal' || error.code === 'storage-failed')
    request.log.error({ err: thrown, url: request.url }, 'request failed');
  else request.log.debug({ code: error.code, reason: error.message, url: request.url }, 'request refused');
  if (error.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
  if (error.code === 'rate-limited' && !reply.hasHeader('retry-after')) reply.header('retry-after', '60');
  if (error.code === 'unavailable') reply.header('retry-after', '5');
  drain(request);
  reply
    .code(ERRORS[error.code].http)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(error.toProblem()));
}

function toTributary(thrown: unknown, request: FastifyRequest): TributaryError {
  if (thrown instanceof TributaryError) return thrown;
  const { statusCode = 500, code, message, validation } = thrown as Partial<FastifyError>;
  if (validation?.[0]) {
    const field = validation[0].instancePath.slice(1).replaceAll('/', '.') || 'the whole';
    return new TributaryError('malformed', `request: ${field} ${validation[0].message ?? 'does not fit'}.`);
  }
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new TributaryError('malformed', 'request: the connection broke off.');
  if (statusCode === 413)
    return new TributaryError(
      'too-large',
      `The body may have ${request.routeOptions.bodyLimit ?? 'fewer'} bytes at most.`,
    );
  // Fastify's own texts about bad requests hold nothing but the request's words.
  if (statusCode >= 400 && statusCode < 500 && code?.startsWith('FST_'))
    return new TributaryError('malformed', `request: ${message?.slice(0, 200)}`);
  if (statusCode === 400 && thrown instanceof SyntaxError)
    return new TributaryError('malformed', 'request: the body holds a forbidden key, such as __proto__.');
  return asTributaryError(thrown);
}

/** Reads on what nobody wants, and cuts the connection if that takes too long. */
function drain(request: FastifyRequest): void {
  const { raw } = request;
  if (raw.readableEnded || raw.destroyed) return;
  const timer = setTimeout(() => raw.destroy(), DRAIN_MS);
  timer.unref();
  raw.once('close', () => clearTimeout(timer)).once('end', () => clearTimeout(timer));
  raw.on('error', () => {});
  // Nobody reads what it is copied to.
  raw.unpipe();
  raw.resume();
}
