import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FaultProxy, startFaultProxy } from './faults.ts';

let echo: Server;
let proxy: FaultProxy;
let socket: Socket;
let echoed: Buffer[];
let ends: string[];

beforeEach(async () => {
  // Of this test only: sockets of the one before may still be dying.
  const mine: string[] = [];
  ends = mine;
  echo = createServer((peer) => peer.on('error', () => mine.push('far error')).pipe(peer));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await startFaultProxy({ to: { host: '127.0.0.1', port: (echo.address() as AddressInfo).port } });
  socket = await open();
});
afterEach(async () => {
  socket.destroy();
  await proxy.close();
  echo.close();
});

async function open(): Promise<Socket> {
  echoed = [];
  const made = connect(proxy.port, '127.0.0.1');
  made.on('data', (bytes) => echoed.push(bytes));
  const mine = ends;
  made.on('end', () => mine.push('end')).on('error', ({ message }) => mine.push(message));
  await once(made, 'connect');
  return made;
}
const arrived = () => Buffer.concat(echoed);

test('passes everything, in order, both ways', async () => {
  const bytes = Buffer.from(Array.from({ length: 2_000_000 }, (_, at) => (at * 7919) >> 3));
  socket.end(bytes);
  await once(socket, 'end');
  expect(arrived().equals(bytes)).toBe(true);
  expect(proxy.passed).toEqual({ up: bytes.length, down: bytes.length });
  expect(proxy.taken).toEqual(proxy.passed);
});

test('throttles each direction, and lets go of it', async () => {
  proxy.set({ bytesPerSecond: 100_000 });
  const before = performance.now();
  socket.write(Buffer.alloc(20_000));
  await expect.poll(() => arrived().length, { timeout: 5000 }).toBe(20_000);
  expect(performance.now() - before).toBeGreaterThan(140);
  proxy.set({ bytesPerSecond: 0 });
  socket.write(Buffer.alloc(5_000_000));
  await expect.poll(() => arrived().length, { timeout: 5000 }).toBe(5_020_000);
});

test('delays', async () => {
  proxy.set({ latencyMs: 60 });
  const before = performance.now();
  socket.write('x');
  await once(socket, 'data');
  expect(performance.now() - before).toBeGreaterThan(115);
});

test('a black hole passes nothing and closes nothing, until it is gone', async () => {
  proxy.set({ blackhole: true });
  socket.write('swallowed');
  await sleep(100);
  expect(arrived().length).toBe(0);
  expect(ends).toEqual([]);
  proxy.set({ blackhole: false });
  await once(socket, 'data');
  expect(arrived().toString()).toBe('swallowed');
});

test('cuts in order, resets in disorder, and takes new connections after both', async () => {
  socket.write('x');
  await once(socket, 'data');
  proxy.cut();
  await once(socket, 'close');
  expect(ends).toEqual(['end']);
  socket = await open();
  socket.write('y');
  await once(socket, 'data');
  proxy.reset();
  await once(socket, 'close').catch(() => {});
  await expect.poll(() => ends.slice(1).sort()).toEqual(['far error', 'read ECONNRESET']);
  socket = await open();
  socket.write('z');
  await once(socket, 'data');
});
