/** The control session over a real socket, with a node that speaks the handshake by hand. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createChannel,
  createHello,
  finishAsClient,
  identityFromSeed,
  LIMITS,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createLog } from '../../log.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createTempi } from './tempo.ts';

const coordinator = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(1));
const node = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(2));
let http: Server;
let sessions: Sessions;
afterEach(async () => {
  await sessions.closeAll();
  http.close();
});

/** A session whose messages all go to `message`. */
async function start(message: () => Promise<void>, tempi = createTempi()) {
  const connected = async () => {
    sessions.send(node.id, { type: 'ready', name: 'node', role: 'partner', members: [] });
  };
  const nothing = async () => {};
  const handlers = { admit: nothing, connected, disconnected: () => {}, ended: nothing, message };
  sessions = createSessions(coordinator, () => 1, handlers, createLog('silent'), tempi);
  http = createServer();
  sessions.attach(http);
  await once(http.listen(0, '127.0.0.1'), 'listening');
  return greet();
}

/** A socket after its handshake; the first frame is read. */
async function greet() {
  const socket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/v1/session`);
  const closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  await once(socket, 'open');
  const ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };
  const hello = createHello(nodeCrypto, node, ephemeral);
  socket.send(JSON.stringify(hello));
  const [data] = await once(socket, 'message');
  const welcome = JSON.parse(String(data));
  const { prove, keys } = finishAsClient(nodeCrypto, node, ephemeral, hello, welcome, coordinator.id);
  socket.send(JSON.stringify(prove));
  const channel = createChannel(nodeCrypto, keys, 'client');
  await Promise.race([once(socket, 'message').then(([frame]) => channel.open(frame)), closed]);
  return { socket, channel, closed };
}

const HASH = 'a'.repeat(64);

it('who does not read its answers is not heard any further: they do not pile up in memory', async () => {
  let heard = 0;
  const { socket, channel } = await start(
    async () => {
      heard++;
      throw new TributaryError('conflict', 'x'.repeat(LIMITS.reason));
    },
    createTempi({ rate: { perSecond: 1e9, burst: 1e9 } }),
  );
  socket.pause();
  const message = { type: 'consent', run: 'r', plan: 'a'.repeat(64) };
  // The kernel alone holds some MB of answers of 1 KB.
  const sent = 12_000;
  for (let i = 0; i < sent; i++) socket.send(channel.seal(message));
  let before = -1;
  await expect
    .poll(
      () => {
        const rests = heard === before;
        before = heard;
        return rests && heard > 0;
      },
      { timeout: 20_000, interval: 500 },
    )
    .toBe(true);
  expect(heard).toBeLessThan(sent);
  socket.resume();
  await expect.poll(() => heard, { timeout: 20_000 }).toBe(sent);
}, 50_000);

it('who floods is slowed down and told so once, then loses the session, and gets no new one at once', async () => {
  let heard = 0;
  const { socket, channel } = await start(
    async () => {
      heard++;
    },
    createTempi({ rate: { perSecond: 10_000, burst: 100 }, pauseMs: 20 }),
  );
  const told: unknown[] = [];
  socket.on('message', (data) => told.push(channel.open(data as Buffer)));
  const closed = once(socket, 'close');
  const flood = setInterval(() => {
    for (let i = 0; i < 500; i++)
      socket.send(channel.seal({ type: 'progress', attempt: HASH, twentieths: 1 }));
  }, 10);
  const [code, reason] = await closed;
  clearInterval(flood);
  expect([code, String(reason)]).toEqual([4429, expect.stringMatching(/^rate-limited: /)]);
  expect(told).toEqual([expect.objectContaining({ type: 'refused', of: 'session', code: 'rate-limited' })]);
  expect(heard).toBeGreaterThan(100);
  const again = await greet();
  expect(await again.closed).toMatchObject({ code: 4429 });
}, 40_000);

it('pongs that nobody asked for count as messages', async () => {
  const { socket, channel } = await start(
    async () => {},
    createTempi({ rate: { perSecond: 1, burst: 4 }, pauseMs: 20 }),
  );
  const told = once(socket, 'message').then(([data]) => channel.open(data));
  for (let i = 0; i < 5; i++) socket.pong();
  expect(await told).toMatchObject({ type: 'refused', of: 'session', code: 'rate-limited' });
});
