import { once } from 'node:events';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { answerClientError } from './connections.ts';

it.each([
  ['never begins', ''],
  ['stops in the middle of', '16030102000100'],
])('ends a connection that %s its TLS handshake', async (_, begun) => {
  const server = createServer({ handshakeTimeout: 50 }).on('clientError', answerClientError);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {}).resume();
  socket.write(Buffer.from(begun, 'hex'));
  await expect.poll(() => socket.destroyed).toBe(true);
  server.close();
});
