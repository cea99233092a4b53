/** Requests to a server that is silent, slow to read, or sends one elsewhere. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, it, test } from 'vitest';
import { httpSend } from './http.ts';

const BEGINNING = 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n';

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});
async function answers(listener: RequestListener): Promise<URL> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/blobs/x`);
}

test('a redirect is not followed', async () => {
  const url = await answers((_, response) =>
    response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  );
  await expect(httpSend({ method: 'GET', url, maxBytes: 100 })).rejects.toMatchObject({
    message: 'GET /v1/blobs/x: the coordinator answered 302.',
  });
});

test('a coordinator that never answers', async () => {
  const url = await answers(() => {});
  const request = { method: 'GET', url, maxBytes: 100, silenceMs: 100 } as const;
  await expect(httpSend(request)).rejects.toMatchObject({ code: 'timed-out' });
});

test('a coordinator that stops reading in the middle of a body', async () => {
  const url = await answers((request) => void request.once('data', () => request.pause()));
  const body = new Uint8Array(64_000_000);
  const request = { method: 'PUT', url, body, maxBytes: 100, silenceMs: 200 } as const;
  await expect(httpSend(request)).rejects.toMatchObject({ code: 'timed-out' });
});

test('a body that moves slowly is no silence', async () => {
  let got = 0;
  const url = await answers(async (request, response) => {
    for await (const chunk of request) {
      got += (chunk as Buffer).length;
      if (got % 4_000_000 < chunk.length) await new Promise((resolve) => setTimeout(resolve, 60));
    }
    response.end('done');
  });
  const body = new Uint8Array(32_000_000);
  const answer = await httpSend({ method: 'PUT', url, body, maxBytes: 100, silenceMs: 300 });
  expect(Buffer.from(answer).toString()).toBe('done');
  expect(got).toBe(body.length);
});

test('an answer that comes before the body is sent whole is heard', async () => {
  const url = await answers((_, response) => response.writeHead(413).end('{}'));
  const body = new Uint8Array(64_000_000);
  await expect(httpSend({ method: 'PUT', url, body, maxBytes: 100 })).rejects.toMatchObject({
    code: 'too-large',
  });
});

it.each<[string, (socket: Socket) => unknown]>([
  ['headers', (socket) => socket.write(socket.bytesWritten === 0 ? 'HTTP/1.1 200 OK\r\nx: ' : 'x')],
  ['interim answers', (socket) => socket.write('HTTP/1.1 102 Processing\r\n\r\n')],
  ['a body', (socket) => socket.write(socket.bytesWritten === 0 ? BEGINNING : '{')],
])('a coordinator that lets its answer drip is not waited for: %s', async (_, drip) => {
  const url = await answers(() => {});
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    const timer = setInterval(() => drip(socket), 20);
    socket.once('close', () => clearInterval(timer)).on('error', () => {});
  });
  const request = { method: 'GET', url, maxBytes: 1e6, silenceMs: 150 } as const;
  await expect(httpSend(request)).rejects.toMatchObject({ code: 'timed-out' });
});
