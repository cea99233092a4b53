/** Limits of callers and of addresses over real sockets. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { TributaryError } from '@tributary/protocol';
import { fastify as createFastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeCaller } from './auth.ts';
import { answerClientError, limitConnections } from './connections.ts';
import { installErrors, sendProblem } from './errors.ts';
import { installRates } from './rates.ts';

let fastify: FastifyInstance;
let now = 0;
const warned: string[] = [];
const hanging: (() => void)[] = [];
const asking: IncomingMessage[] = [];
const refused: unknown[] = [];
beforeEach(async () => {
  now = 0;
  for (const list of [warned, asking, refused]) list.length = 0;
  fastify = createFastify({ frameworkErrors: sendProblem, clientErrorHandler: answerClientError });
  fastify.decorateRequest('caller', null);
  installErrors(fastify);
  installRates(fastify, { rate: { perSecond: 10, burst: 20 }, atOnce: 3, bodyMs: 200, now: () => now });
  limitConnections(fastify.server, { warn: (_, text) => warned.push(text) }, { files: 32 });
  const asNode = async (request: FastifyRequest) => {
    const member = request.headers['x-member'];
    if (member === 'nobody') throw new TributaryError('unauthenticated', 'Who?');
    if (member) request.caller = { kind: 'node', member: String(member) } as NodeCaller;
  };
  fastify.get('/', { onRequest: asNode }, async () => 'ok');
  fastify.post('/', async (request) => request.body);
  fastify.get('/hang', () => new Promise((resolve) => hanging.push(() => resolve('over'))));
  const slowly = async (request: FastifyRequest) => {
    asking.push(request.raw);
    await new Promise((resolve) => request.raw.socket.once('close', resolve));
    await asNode(request);
  };
  const onError = async (_: unknown, __: unknown, error: { code?: string }) =>
    void refused.push(error.code ?? error);
  fastify.get('/gone', { onRequest: slowly, onError }, async () => refused.push('served'));
  await fastify.listen({ port: 0, host: '127.0.0.1' });
});
afterEach(async () => {
  for (const end of hanging.splice(0)) end();
  fastify.server.closeAllConnections();
  await fastify.close();
});

const get = (member = '', url = '/') =>
  fastify.inject({ url, headers: member ? { 'x-member': member } : {} });
const port = () => (fastify.server.address() as AddressInfo).port;

async function raw(bytes: string | Buffer): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect(port(), '127.0.0.1');
  await once(socket, 'connect');
  const parts: Buffer[] = [];
  socket.on('data', (part) => parts.push(part));
  socket.on('error', () => {});
  const answer = once(socket, 'close').then(() => String(Buffer.concat(parts)));
  socket.write(bytes);
  return { socket, answer };
}
const problem = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n')));

it('refuses what one caller asks for too often, and no other, not even at the same address', async () => {
  for (let i = 0; i < 20; i++) expect((await get('ann')).statusCode).toBe(200);
  const refused = await get('ann');
  expect([refused.statusCode, refused.json().code, refused.headers['retry-after']]).toEqual([
    429,
    'rate-limited',
    '1',
  ]);
  expect((await get('bob')).statusCode).toBe(200);
  expect((await get()).statusCode).toBe(200);
  now = 100;
  expect((await get('ann')).statusCode).toBe(200);
  expect((await get('ann')).statusCode).toBe(429);
});

it('counts also what finds no route, and not what authorization refused before', async () => {
  for (let i = 0; i < 30; i++) expect((await get('nobody')).statusCode).toBe(401);
  for (let i = 0; i < 20; i++) expect((await get('', '/nothing')).statusCode).toBe(404);
  expect((await get('', '/nothing')).statusCode).toBe(429);
});

it('refuses more requests at the same time than anybody needs, until one of them is over', async () => {
  const open = [1, 2, 3].map(() => get('', '/hang'));
  await expect.poll(() => hanging.length).toBe(3);
  expect((await get()).json().code).toBe('rate-limited');
  hanging.pop()!();
  await Promise.race(open);
  expect((await get()).statusCode).toBe(200);
});

it('forgets requests that were pipelined on a connection that broke', async () => {
  const { socket } = await raw('GET /hang HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
  await expect.poll(() => hanging.length).toBe(3);
  expect((await get()).json().code).toBe('rate-limited');
  socket.resetAndDestroy();
  await expect.poll(async () => (await get()).statusCode).toBe(200);
  for (let i = 0; i < 3; i++) void get('', '/hang');
  await expect.poll(() => hanging.length).toBe(6);
});

it('serves nobody who is gone before it is known who asks, and takes it for no fault', async () => {
  const lines = 'GET /gone HTTP/1.1\r\nHost: x\r\n\r\nGET /gone HTTP/1.1\r\nHost: x\r\nX-Member: ann\r\n\r\n';
  const { socket } = await raw(lines);
  await expect.poll(() => asking.length).toBe(2);
  socket.resetAndDestroy();
  await expect.poll(() => refused).toEqual(['malformed', 'malformed']);
});

it('does not wait for a body that trickles in', async () => {
  const { answer } = await raw(
    'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{',
  );
  const text = await answer;
  expect(text).toMatch(/^HTTP\/1.1 408 /);
  expect(problem(text).code).toBe('timed-out');
});

it('outlives a body that is refused for its length, and never comes', async () => {
  const { socket } = await raw(
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{',
  );
  const [answer] = await once(socket, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1.1 413 /);
  // Longer than a body may take: an error that nobody listens for would end the process.
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect((await get()).statusCode).toBe(200);
  socket.destroy();
});

it('takes bodies in pieces, and does not leave one waiting whose sender went away', async () => {
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n';
  const { socket, answer } = await raw(`${head}Content-Length: 7\r\n\r\n{"a"`);
  socket.write(':1}');
  expect(await answer).toContain('{"a":1}');
  const broken = await raw(`${head}Content-Length: 7\r\n\r\n{"a"`);
  broken.socket.destroy();
  await broken.answer;
});

it.each([
  ['no HTTP', 'nonsense\r\n\r\n', 400, 'malformed'],
  ['the greeting of TLS', Buffer.from('16030100c8010000c40303', 'hex'), 400, 'malformed'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed'],
  ['headers without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, 431, 'too-large'],
  [
    'two lengths of one body',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'malformed',
  ],
])('answers %s with a Problem', async (_, bytes, status, code) => {
  const text = await (await raw(bytes)).answer;
  expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(problem(text).code).toBe(code);
});

it('bounds the connections of one address, and says so once', async () => {
  // Of 32 files a fourth is for one address, and a fourth for the disk.
  expect(fastify.server.maxConnections).toBe(24);
  const open = await Promise.all(Array.from({ length: 8 }, () => raw('')));
  for (let i = 0; i < 5; i++) await (await raw('')).answer;
  expect(warned).toHaveLength(1);
  open[0]!.socket.destroy();
  await open[0]!.answer;
  await expect
    .poll(async () =>
      (await (await raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).answer).slice(0, 12),
    )
    .toBe('HTTP/1.1 200');
  for (const { socket } of open) socket.destroy();
});
