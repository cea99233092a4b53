import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { TributaryError } from '@tributary/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createApiClient } from '../api-client.ts';
import { agentFor } from './agents.ts';
import { httpSend } from './http.ts';
import { findProxy } from './proxy.ts';

const at = (url: string, env: Record<string, string>) => findProxy(new URL(url), env)?.origin;

describe('the proxy variables', () => {
  const both = { HTTPS_PROXY: 'http://p:3128', HTTP_PROXY: 'q:8080' };

  it('are chosen by scheme, the lower case first', () => {
    expect(at('https://a.example', both)).toBe('http://p:3128');
    expect(at('wss://a.example', both)).toBe('http://p:3128');
    expect(at('http://a.example', both)).toBe('http://q:8080');
    expect(at('https://a.example', { ...both, https_proxy: 'https://r' })).toBe('https://r');
    expect(at('https://a.example', {})).toBeUndefined();
    expect(at('https://a.example', { HTTPS_PROXY: '' })).toBeUndefined();
  });

  it.each([
    ['a.example', 'a.example'],
    ['x.a.example', '.a.example'],
    ['x.a.example', '*.a.example'],
    ['x.a.example', 'other, a.example:443'],
    ['anything', '*'],
  ])('exempt %s by NO_PROXY=%s', (host, list) => {
    expect(at(`https://${host}`, { ...both, NO_PROXY: list })).toBeUndefined();
    expect(at(`https://${host}`, { ...both, no_proxy: list })).toBeUndefined();
  });

  it.each([
    ['ba.example', 'a.example'],
    ['a.example', 'a.example:8443'],
    ['a.example', 'x.a.example'],
  ])('do not exempt %s by NO_PROXY=%s', (host, list) => {
    expect(at(`https://${host}`, { ...both, NO_PROXY: list })).toBe('http://p:3128');
  });

  it('never send what is for this machine away', () => {
    for (const host of ['localhost', '127.0.0.1', '[::1]'])
      expect(at(`http://${host}:1`, both)).toBeUndefined();
  });

  it('that hold no address are refused without being shown', () => {
    const env = { HTTPS_PROXY: 'socks5://user:hunter2@p' };
    expect(() => at('https://a.example', env)).toThrow(/HTTPS_PROXY/);
    expect(() => at('https://a.example', env)).not.toThrow(/hunter2/);
  });

  it('may hold a password, which is sent and never shown', () => {
    const proxy = findProxy(new URL('https://a.example'), { HTTPS_PROXY: 'http://me:p%40ss@p:1' });
    expect(proxy).toMatchObject({ origin: 'http://p:1', authorization: `Basic ${btoa('me:p@ss')}` });
  });
});

const servers: Server[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  vi.unstubAllEnvs();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A CONNECT proxy, the only one that can resolve `coordinator.test`. */
async function proxying(answer: (target: string, socket: Socket, login: string | undefined) => void) {
  const proxy = createServer();
  proxy.on('connect', (request, socket) => {
    socket.on('error', () => {});
    answer(request.url!, socket as Socket, request.headers['proxy-authorization']);
  });
  return `http://me:hunter2@127.0.0.1:${await listening(proxy)}`;
}

const through = (target: string, socket: Socket): void => {
  const port = Number(target.split(':')[1]);
  const onward = connect(port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    socket.pipe(onward).pipe(socket);
  });
  sockets.add(onward);
  onward.on('error', () => socket.destroy());
};

const url = (port: number) => new URL(`http://coordinator.test:${port}/v1/runs`);
const get = (port: number) => httpSend({ method: 'GET', url: url(port), maxBytes: 1000 });

describe('through a proxy', () => {
  it('go bulk requests, the API, and WebSockets', async () => {
    const port = await listening(createServer((_, response) => response.end('[]')));
    new WebSocketServer({ server: servers[0]! }).on('connection', (socket) => socket.send('hello'));
    const seen: [string, string | undefined][] = [];
    const proxy = await proxying((target, socket, login) => {
      seen.push([target, login]);
      through(target, socket);
    });
    vi.stubEnv('HTTP_PROXY', proxy);
    expect(Buffer.from(await get(port)).toString()).toBe('[]');
    expect(await createApiClient({ url: url(port).origin }).runs()).toEqual([]);
    const socket = new WebSocket(`ws://coordinator.test:${port}/`, { agent: agentFor(url(port)) });
    const [message] = await once(socket, 'message');
    expect(String(message)).toBe('hello');
    socket.terminate();
    const login = `Basic ${btoa('me:hunter2')}`;
    // One tunnel may serve them all, one after the other.
    expect(new Set(seen.map(String))).toEqual(new Set([String([`coordinator.test:${port}`, login])]));
  });

  const refusing = (status: number) => (_: string, socket: Socket) =>
    void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);

  it.each([
    ['407', refusing(407), 'unauthenticated', /does not take the user/],
    ['403', refusing(403), 'forbidden', /refuses coordinator\.test:9/],
    ['502', refusing(502), 'unavailable', /cannot connect to coordinator\.test:9/],
    ['a cut', (_: string, socket: Socket) => void socket.destroy(), 'unavailable', /cannot be reached/],
  ])(
    'that answers %s: a typed error that names the proxy and no password',
    async (_, answer, code, message) => {
      vi.stubEnv('http_proxy', await proxying(answer));
      const errors: TributaryError[] = [];
      await get(9).catch((error) => errors.push(error));
      await createApiClient({ url: url(9).origin })
        .runs()
        .catch((error) => errors.push(error));
      expect(errors).toHaveLength(2);
      for (const error of errors) {
        expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
        expect(error.message).toContain('http://127.0.0.1:');
        expect(error.remedy).toContain('`tributary doctor`');
        expect(`${error.message} ${error.remedy} ${error.stack} ${JSON.stringify(error)}`).not.toContain(
          'hunter2',
        );
      }
    },
  );

  it('that is not there: the proxy is named, not the coordinator', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${port}`);
    await expect(get(9)).rejects.toMatchObject({
      code: 'unavailable',
      message: `The proxy http://127.0.0.1:${port} cannot be reached (ECONNREFUSED).`,
      remedy: expect.stringContaining('HTTP_PROXY'),
    });
  });
});
