import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { fastify as createFastify, type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { installDrain } from './drain.ts';

let fastify: FastifyInstance;
let finish: (text: string) => void;
beforeEach(async () => {
  fastify = createFastify();
  installDrain(fastify, 1000);
  fastify.get('/now', async () => 'now');
  fastify.get('/later', () => new Promise((resolve) => (finish = resolve)));
  await fastify.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(() => fastify.close());

async function open(request = '') {
  const socket = connect((fastify.server.address() as AddressInfo).port, '127.0.0.1');
  socket.setEncoding('utf8').on('error', () => {});
  await once(socket, 'connect');
  if (request) socket.write(`GET ${request} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return socket;
}

it('waits neither for sockets that never asked anything nor for idle ones', async () => {
  await open();
  const idle = await open('/now');
  await once(idle, 'data');
  const begun = Date.now();
  await fastify.close();
  expect(Date.now() - begun).toBeLessThan(800);
});

it('lets a request under way finish', async () => {
  const busy = await open('/later');
  await expect.poll(() => finish).toBeDefined();
  const closing = fastify.close();
  setTimeout(() => finish('at last'), 300);
  const [answer] = await once(busy, 'data');
  expect(answer).toContain('at last');
  await closing;
});

it('cuts off a request that takes too long', async () => {
  const busy = await open('/later');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const [closed] = await Promise.all([once(busy, 'close'), fastify.close()]);
  expect(closed).toBeDefined();
});
