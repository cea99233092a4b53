/** A hospital's network: a proxy with a password is the only way out, and TLS is by a CA of its own. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';

export interface Firewall {
  /** Where the coordinator seems to be; only the proxy knows the way. */
  readonly url: string;
  /** With user and password. */
  readonly proxy: string;
  /** File of the CA. */
  readonly ca: string;
  /** Targets that were asked for. */
  readonly asked: readonly string[];
  close(): void;
}

const HOST = 'coordinator.test';
export const PASSWORD = 'hunter2';

/** @param folder for keys and certificates */
export async function startFirewall(folder: string, coordinator: string): Promise<Firewall> {
  const { key, cert, ca } = makeCertificates(folder);
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  };
  const join_ = (inner: Socket, port: number, before = () => {}) => {
    track(inner);
    const outer = connect(port, '127.0.0.1', before);
    track(outer);
    inner.pipe(outer).pipe(inner);
    inner.on('close', () => outer.destroy());
    outer.on('close', () => inner.destroy());
  };
  const tls = createTlsServer({ key, cert }, (socket) => join_(socket, Number(new URL(coordinator).port)));
  const port = await listen(tls);

  const asked: string[] = [];
  const proxy = createServer();
  const login = `Basic ${btoa(`clinic:${PASSWORD}`)}`;
  proxy.on('connect', (request, socket) => {
    if (request.headers['proxy-authorization'] !== login)
      return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    asked.push(request.url!);
    if (request.url !== `${HOST}:${port}`) return void socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    join_(socket as Socket, port, () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'));
  });
  const proxyPort = await listen(proxy);
  return {
    url: `https://${HOST}:${port}`,
    proxy: `http://clinic:${PASSWORD}@127.0.0.1:${proxyPort}`,
    ca,
    asked,
    close() {
      tls.close();
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function makeCertificates(folder: string): { key: Buffer; cert: Buffer; ca: string } {
  const path = (name: string) => join(folder, name);
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const request = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '30',
  ];
  run(...request, '-subj', '/CN=Test Hospital CA', '-keyout', path('ca.key'), '-out', path('ca.pem'));
  run(
    ...request,
    ...[
      '-subj',
      `/CN=${HOST}`,
      '-addext',
      `subjectAltName=DNS:${HOST}`,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ],
    ...['-CA', path('ca.pem'), '-CAkey', path('ca.key'), '-keyout', path('tls.key'), '-out', path('tls.pem')],
  );
  return { key: readFileSync(path('tls.key')), cert: readFileSync(path('tls.pem')), ca: path('ca.pem') };
}
