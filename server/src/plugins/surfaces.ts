/**
 * What is served where, once people have a port of their own: theirs has nothing for nodes, that of the partners nothing
 * for people. A route that nobody listed here is for people.
 */
import type { IncomingMessage } from 'node:http';
import { TributaryError } from '@tributary/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** A browser that was here once comes by TLS only, for a year (RFC 6797). */
const HSTS = 'max-age=31536000';

const BOTH = new Set(['GET /healthz', 'GET /readyz', 'GET /v1/coordinator', 'GET /v1/coordinator/rotations']);
const NODES = new Set([
  'POST /v1/enrol',
  'GET /v1/members',
  'POST /v1/rotations',
  'GET /v1/rotations',
  'PUT /v1/updates/:attempt',
  'GET /v1/updates/:attempt',
]);
/** Of nodes by their own authorization, and of people by a token. */
const SHARED = 'GET /v1/blobs/:sha256';

/** Before `installAuth` and the rates: what is not there asks for no proof and counts nothing. */
export function installSurfaces(
  fastify: FastifyInstance,
  options: {
    readonly split: boolean;
    readonly tls: boolean;
    readonly isAdmin: (r: IncomingMessage) => boolean;
  },
): void {
  const { split, tls, isAdmin } = options;
  fastify.addHook('onRequest', async (request, reply) => {
    if (tls) reply.header('strict-transport-security', HSTS);
    if (split && !request.is404 && !isServed(request, isAdmin(request.raw)))
      throw new TributaryError(
        'not-found',
        `There is no ${request.method} ${pathOf(request)} on this port.`,
        {
          remedy: isAdmin(request.raw)
            ? 'Nodes use the other port, whose address is in their invite.'
            : 'People use the admin port: ask the operator for its address, then `tributary login URL`.',
        },
      );
  });
}

function isServed(request: FastifyRequest, admin: boolean): boolean {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const route = `${method} ${request.routeOptions.url}`;
  if (BOTH.has(route)) return true;
  if (route === SHARED) return /^Tributary/.test(request.headers.authorization ?? '') !== admin;
  return NODES.has(route) !== admin;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]!.slice(0, 100);
}
