import type { FastifyInstance } from 'fastify';
import type { CoordinatorDeps } from './ports.ts';

/** Public: what a newcomer compares with the fingerprint that the operator told. */
export function coordinatorRoutes(fastify: FastifyInstance, deps: CoordinatorDeps): void {
  fastify.get('/v1/coordinator', async () => deps.info());
  /** What a node that has pinned an earlier key verifies. */
  fastify.get('/v1/coordinator/rotations', async () => deps.ownRotations());
}
