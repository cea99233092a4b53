import { TributaryError } from '@tributary/protocol';
import type { FastifyInstance } from 'fastify';
import type { RunsDeps } from './ports.ts';

export function modelRoutes(fastify: FastifyInstance, { auth, runs }: RunsDeps): void {
  const researcher = { onRequest: auth.person('researcher') };
  fastify.get<{ Querystring: { run?: unknown } }>('/v1/models', researcher, (request) => {
    const { run } = request.query;
    // Given twice it is a list.
    if (run !== undefined && typeof run !== 'string')
      throw new TributaryError('malformed', 'request: run must be the id of one run.');
    return runs.models(run);
  });
}
