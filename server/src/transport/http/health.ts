/** For supervisors and load balancers. Says nothing but yes or no. */
import { TributaryError } from '@tributary/protocol';
import type { FastifyInstance } from 'fastify';
import type { HealthDeps } from './ports.ts';

export function healthRoutes(fastify: FastifyInstance, deps: HealthDeps): void {
  fastify.get('/healthz', async () => ({ status: 'ok' }));
  fastify.get('/readyz', async () => {
    if (!deps.ready()) throw new TributaryError('unavailable', 'The coordinator is starting or draining.');
    return { status: 'ready' };
  });
}
