import type { FastifyInstance } from 'fastify';
import type { RunsDeps } from './ports.ts';

export function modelRoutes(fastify: FastifyInstance, { auth, runs }: RunsDeps): void {
  const researcher = { onRequest: auth.person('researcher') };
  fastify.get<{ Querystring: { run?: string } }>('/v1/models', researcher, (request) =>
    runs.models(request.query.run),
  );
}
