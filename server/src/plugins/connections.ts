/**
 * What comes before a request: how many connections one address and all of them may hold, how long a header may take, and a
 * Problem for bytes that are no HTTP.
 */
import { readFileSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import { networkOf } from './limits.ts';
import { createNotices } from './notices.ts';

/** A whole cohort behind one address, with a session and some requests for each member. */
const PER_ADDRESS = 1024;
const IN_ALL = 10_000;
/** Open files are few on some machines: sockets must not take those of the disk, nor one address those of all others. */
const SHARE = { inAll: 3 / 4, perAddress: 1 / 4 };
/** Headers are a few hundred bytes. Node looks every 30 s. */
const HEADERS_MS = 15_000;

interface Log {
  warn(about: object, text: string): void;
}

export interface ConnectionLimits {
  /** That this process may have open. */
  readonly files?: number;
  /** Addresses of proxies, behind which are many. */
  readonly isProxy?: ((address: string) => boolean) | undefined;
}

export function limitConnections(server: Server, log: Log, options: ConnectionLimits = {}): void {
  const { files = openFiles(), isProxy = () => false } = options;
  const perAddress = Math.min(PER_ADDRESS, Math.floor(files * SHARE.perAddress));
  const inAll = Math.min(IN_ALL, Math.floor(files * SHARE.inAll));
  const notices = createNotices();
  const open = new Map<string, number>();
  server.headersTimeout = HEADERS_MS;
  server.maxConnections = inAll;
  endWithConnection(server);
  server.on('drop', () => {
    if (notices.due('all')) log.warn({ limit: inAll }, 'too many connections: further ones are closed');
  });
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (isProxy(address)) return;
    const from = networkOf(address);
    const before = open.get(from) ?? 0;
    if (before >= perAddress) {
      if (notices.due(from))
        log.warn(
          { address, limit: perAddress },
          'too many connections of one address: further ones are closed',
        );
      socket.destroy();
      return;
    }
    open.set(from, before + 1);
    socket.once('close', () => {
      const left = open.get(from)! - 1;
      if (left === 0) open.delete(from);
      else open.set(from, left);
    });
  });
}

/** Linux tells (proc(5)); elsewhere they are as many as Node could get. */
function openFiles(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Node tells a response that its connection is gone only while it is the one being sent. Those of requests that were
 * pipelined behind it (RFC 9112, 9.3.2) would never end: they would count as under way for ever, and streams go on.
 */
function endWithConnection(server: Server): void {
  const unsent = new WeakMap<Socket, Set<ServerResponse>>();
  server.on('request', ({ socket }, response: ServerResponse) => {
    const responses = unsent.get(socket) ?? new Set();
    if (!unsent.has(socket)) {
      unsent.set(socket, responses);
      socket.once('close', () => {
        // What Node does for the one being sent.
        for (const each of responses) Object.assign(each, { destroyed: true, _closed: true }).emit('close');
      });
    }
    responses.add(response);
    response.once('close', () => responses.delete(response));
  });
}

/** Fastify's `clientErrorHandler`: what is refused before there is a request. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  // Before its TLS handshake is over a socket sends nothing: it would wait with the answer for ever.
  if (/^ERR_(TLS|SSL)_/.test(error.code ?? '')) return void socket.destroy();
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    refuseRaw(
      socket,
      408,
      new TributaryError('timed-out', `No whole request within ${HEADERS_MS / 1000} s.`),
    );
  // The status that RFC 6585 has for it.
  else if (error.code === 'HPE_HEADER_OVERFLOW')
    refuseRaw(socket, 431, new TributaryError('too-large', 'The headers may have 16 KiB at most.'));
  else refuseRaw(socket, 400, new TributaryError('malformed', 'This is no HTTP request.'));
}

/** A Problem on a socket without a request, which is closed then. */
export function refuseRaw(
  socket: Duplex,
  status: number,
  error: TributaryError,
  headers: Readonly<Record<string, string | number>> = {},
): void {
  // Node may have taken its own listener away: without one, a reset by the other side would end the process.
  socket.on('error', () => socket.destroy());
  const body = JSON.stringify(error.toProblem());
  const lines = Object.entries({
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (socket.writable) socket.write(`HTTP/1.1 ${status} ${error.code}\r\n${lines.join('')}\r\n${body}`);
  // Who does not close its own half is not waited for.
  socket.end(() => socket.destroy());
}
