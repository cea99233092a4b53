/**
 * Somebody between real clients and a real coordinator who holds the keys of both, and may therefore change any message and
 * body, sign it again, and pass it on: to the client it is a hostile coordinator, to the coordinator a hostile partner.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  authorizeRequest,
  type Channel,
  createChannel,
  createHello,
  createWelcome,
  finishAsClient,
  finishAsServer,
  type Hello,
  type Identity,
  parseSessionClaim,
  type SessionKeys,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { WebSocket, WebSocketServer } from 'ws';
import type { Json } from './target.ts';

export type Direction = 'up' | 'down' | 'get' | 'put';

export interface Tamper {
  /** What goes on instead of the message: nothing, one, or several. */
  message(direction: 'up' | 'down', member: Identity, message: { type: string }): readonly Json[];
  body(direction: 'get' | 'put', member: string, bytes: Buffer): Buffer;
}

const UNTOUCHED: Tamper = {
  message: (_, __, message) => [message as unknown as Json],
  body: (_, __, bytes) => bytes,
};

interface Link {
  readonly member: string;
  readonly upstream: SessionKeys;
  counter: number;
}

export interface Middle {
  readonly url: string;
  readonly identities: Map<string, Identity>;
  /** By the member whose link it is; others are passed on as they are. */
  readonly tampers: Map<string, Tamper>;
  close(): Promise<void>;
}

export async function startMiddle(coordinator: { url: string; identity: Identity }): Promise<Middle> {
  const links = new Map<string, Link>();
  const http = createServer((request, response) => forward(request, response));
  const server = new WebSocketServer({ server: http, perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    relay(socket).catch(() => socket.terminate());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const middle: Middle = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    identities: new Map(),
    tampers: new Map(),
    async close() {
      for (const socket of server.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  const tamper = (member: string): Tamper => middle.tampers.get(member) ?? UNTOUCHED;
  return middle;

  async function relay(down: WebSocket): Promise<void> {
    const hello: Hello = JSON.parse(await nextText(down));
    const member = middle.identities.get(hello.identity)!;
    const up = new WebSocket(`${coordinator.url.replace('http', 'ws')}/v1/session`);
    up.on('error', () => down.terminate());
    up.on('close', (code, reason) => (code >= 4000 ? down.close(code, reason) : down.terminate()));
    down.on('close', () => up.terminate());
    await new Promise((resolve) => up.once('open', resolve));
    const ours = { secret: nodeRandom(32), nonce: nodeRandom(32) };
    const upHello = createHello(nodeCrypto, member, ours);
    up.send(JSON.stringify(upHello));
    const upWelcome = JSON.parse(await nextText(up));
    const upper = finishAsClient(nodeCrypto, member, ours, upHello, upWelcome, coordinator.identity.id);
    const upChannel = createChannel(nodeCrypto, upper.keys, 'client');
    const mine = { secret: nodeRandom(32), nonce: nodeRandom(32) };
    const welcome = createWelcome(
      nodeCrypto,
      coordinator.identity,
      mine,
      hello,
      upWelcome.epoch,
      nodeRandom(16),
    );
    down.send(JSON.stringify(welcome));
    const prove = JSON.parse(await nextText(down));
    const keys = finishAsServer(nodeCrypto, mine, hello, welcome, prove);
    const downChannel = createChannel(nodeCrypto, keys, 'server');
    links.set(keys.session, { member: member.id, upstream: upper.keys, counter: 0 });
    down.once('close', () => links.delete(keys.session));
    pump(up, down, upChannel, downChannel, 'down', member);
    pump(down, up, downChannel, upChannel, 'up', member);
    up.send(JSON.stringify(upper.prove));
  }

  function pump(
    from: WebSocket,
    to: WebSocket,
    opener: Channel,
    sealer: Channel,
    direction: 'up' | 'down',
    member: Identity,
  ): void {
    from.on('message', (data) => {
      const message = opener.open(data as Buffer) as { type: string };
      for (const instead of tamper(member.id).message(direction, member, message))
        if (to.readyState === WebSocket.OPEN) to.send(sealer.seal(instead as object));
    });
  }

  async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    response.on('error', () => {});
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { method = '', url = '', headers } = request;
    const claim = parseSessionClaim(headers.authorization ?? '');
    const link = claim && links.get(claim.session);
    let body: Buffer = Buffer.concat(parts);
    if (link && method === 'PUT') body = tamper(link.member).body('put', link.member, body);
    const { digest = '' } = claim ?? {};
    const authorization = link
      ? authorizeRequest(nodeCrypto, link.upstream, { method, path: url, digest }, link.counter++)
      : (headers.authorization ?? '');
    const { connection: _, 'transfer-encoding': __, ...kept } = headers;
    const out = httpRequest(coordinator.url + url, {
      method,
      headers: { ...kept, authorization, ...(body.length > 0 ? { 'content-length': body.length } : {}) },
    });
    out.on('error', () => response.destroy());
    out.on('response', async (answer) => {
      const got: Buffer[] = [];
      answer.on('error', () => response.destroy());
      for await (const part of answer) got.push(part);
      const bytes =
        link && method === 'GET'
          ? tamper(link.member).body('get', link.member, Buffer.concat(got))
          : Buffer.concat(got);
      const { 'content-length': ___, connection: ____, ...shown } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, { ...shown, 'content-length': bytes.length });
      response.end(bytes);
    });
    out.end(body);
  }
}

const nextText = (socket: WebSocket): Promise<string> =>
  new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(String(data)));
    socket.once('close', () => reject(new Error('closed')));
  });
