/** When an upload counts as moving, and when it is ended: over real sockets, at a thousandth of the time. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TributaryError } from '@tributary/protocol';
import type { FastifyRequest } from 'fastify';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createUploads, type Watch, watchProgress } from './uploads.ts';

const PACE = { tickMs: 10, minRate: 10_000, stallMs: 300 };
const server = createServer();
let socket: Socket;
let raw: IncomingMessage;
let watch: Watch;
let pace: { since: number };
let reports: number;
let refusal: TributaryError | null;
let ended: unknown;

beforeEach(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n');
  [raw] = await once(server, 'request');
  raw.resume();
  reports = 0;
  refusal = null;
  ended = undefined;
  pace = createUploads().pace('member', 'attempt');
  watch = watchProgress(
    { raw } as FastifyRequest,
    pace,
    async () => {
      reports++;
      if (refusal) throw refusal;
    },
    PACE,
  );
  watch.stalled.catch((error) => {
    ended = error;
  });
});
afterEach(() => {
  watch.stop();
  socket.destroy();
  server.closeAllConnections();
  server.close();
});

/** Bytes every few milliseconds, until it is ended or the time is over. */
async function drip(bytes: number, everyMs: number, forMs: number): Promise<void> {
  for (let time = 0; time < forMs && !ended; time += everyMs) {
    socket.write(Buffer.alloc(bytes));
    await sleep(everyMs);
  }
}
const timedOut = () => expect.objectContaining({ code: 'timed-out' });

it('a slow upload moves for as long as it takes', async () => {
  await drip(2000, 20, 800);
  expect(ended).toBeUndefined();
  expect(reports).toBeGreaterThan(5);
});

it('a trickle does not, and is ended', async () => {
  await drip(50, 20, 3000);
  expect(ended).toEqual(timedOut());
  expect(reports).toBe(0);
});

it('nor do bursts that are a trickle on the whole', async () => {
  await drip(1000, 250, 3000);
  expect(ended).toEqual(timedOut());
  // The first comes at the very start.
  expect(reports).toBeLessThan(2);
});

it('nor does a connection that is new, after one that brought nothing', async () => {
  pace.since -= 10 * PACE.stallMs;
  await drip(1000, 250, 3000);
  expect(ended).toEqual(timedOut());
  expect(reports).toBe(0);
});

it('a pace is that of the member in the attempt, whatever the connection', () => {
  const { pace: of } = createUploads();
  expect(of('a', 'x')).toBe(of('a', 'x'));
  expect(new Set([of('a', 'x'), of('a', 'y'), of('b', 'x')]).size).toBe(3);
});

it('a socket that falls silent after a good start is ended', async () => {
  await drip(50_000, 20, 60);
  await expect.poll(() => ended, { timeout: 5000 }).toEqual(timedOut());
  expect(reports).toBeGreaterThan(0);
});

it('one that brought everything waits for the disk, as long as that takes', async () => {
  socket.write(Buffer.alloc(1_000_000));
  await once(raw, 'end');
  await sleep(2 * PACE.stallMs);
  expect(ended).toBeUndefined();
});

it('one that nobody waits for any more is ended with the reason', async () => {
  refusal = new TributaryError('late', 'The survivors are fixed.');
  await drip(5000, 20, 3000);
  expect(ended).toBe(refusal);
});
