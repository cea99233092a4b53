import { fastify as createFastify, type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installErrors } from './errors.ts';
import { installSurfaces } from './surfaces.ts';

const PEOPLE = ['/v1/tokens', '/v1/partners', '/v1/runs', '/v1/a-route-that-nobody-listed'];
const NODES = ['/v1/members', '/v1/updates/:attempt'];
const BOTH = ['/healthz', '/readyz', '/v1/coordinator'];

/** Each route as on both ports: the header stands for the port that the request came in by. */
let fastify: FastifyInstance;
beforeAll(async () => {
  fastify = createFastify();
  installErrors(fastify);
  installSurfaces(fastify, { split: true, tls: false, isAdmin: ({ headers }) => headers.port === 'admin' });
  for (const path of [...PEOPLE, ...NODES, ...BOTH, '/v1/blobs/:sha256']) fastify.get(path, () => ({}));
  await fastify.ready();
});
afterAll(() => fastify.close());

const status = async (url: string, port: 'admin' | 'partners', headers: object = {}) =>
  (await fastify.inject({ url, headers: { port, ...headers } })).statusCode;

it('the port of the partners serves nothing for people, nor what nobody listed', async () => {
  for (const path of PEOPLE) expect([path, await status(path, 'partners')]).toEqual([path, 404]);
  for (const path of [...NODES, ...BOTH]) expect([path, await status(path, 'partners')]).toEqual([path, 200]);
});

it('the port of the people serves nothing for nodes', async () => {
  for (const path of NODES) expect([path, await status(path, 'admin')]).toEqual([path, 404]);
  for (const path of [...PEOPLE, ...BOTH]) expect([path, await status(path, 'admin')]).toEqual([path, 200]);
});

it('models are there for nodes on one, for people on the other', async () => {
  const node = { authorization: 'Tributary-Session x' };
  expect(await status('/v1/blobs/x', 'partners', node)).toBe(200);
  expect(await status('/v1/blobs/x', 'admin', node)).toBe(404);
  expect(await status('/v1/blobs/x', 'partners')).toBe(404);
  expect(await status('/v1/blobs/x', 'admin')).toBe(200);
});
