/** One application behind one or two sockets: that of partners, and where people have one of their own, that. */
import {
  createServer as createHttp,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TributaryError } from '@tributary/protocol';
import type { LoadedTls } from './tls-files.ts';

/** A handshake has a few kilobytes. */
const TLS_HANDSHAKE_MS = 10_000;
const KEEP_ALIVE_MS = 72_000;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Listeners {
  /** Fastify's `serverFactory`. */
  readonly factory: (handler: RequestListener, options: { connectionTimeout?: number }) => Server;
  /** The socket of people, if it is another. */
  readonly admin: Server | null;
  /** Came in where only people are served. */
  isAdmin(request: IncomingMessage): boolean;
  /** @returns its URL. @throws unavailable */
  listenAdmin(address: Address): Promise<string>;
  /** For connections from now on. */
  useTls(tls: LoadedTls): void;
  closeAdmin(): Promise<void>;
}

export function createListeners(options: { tls: LoadedTls | null; admin: boolean }): Listeners {
  const { tls } = options;
  const fromAdmin = new WeakSet<IncomingMessage>();
  let handle: RequestListener = () => {};

  function make(handler: RequestListener): Server {
    if (!tls) return createHttp(handler);
    const secure = createHttps(
      { ...tls.context, ALPNProtocols: ['http/1.1'], handshakeTimeout: TLS_HANDSHAKE_MS },
      handler,
    );
    // Fastify and ws know it by what the two kinds of server have in common.
    return secure as unknown as Server;
  }
  const admin = options.admin
    ? make((request: IncomingMessage, response: ServerResponse) => {
        fromAdmin.add(request);
        handle(request, response as Parameters<RequestListener>[1]);
      })
    : null;
  const servers: Server[] = admin ? [admin] : [];

  return {
    factory(handler, { connectionTimeout = 0 }) {
      handle = handler;
      servers.push(make(handler));
      for (const server of servers) {
        server.setTimeout(connectionTimeout);
        server.keepAliveTimeout = KEEP_ALIVE_MS;
      }
      return servers.at(-1)!;
    },
    admin,
    isAdmin: (request) => fromAdmin.has(request),
    async listenAdmin({ host, port }) {
      await new Promise<void>((resolve, reject) => {
        admin!.once('error', (cause) => reject(listenError(cause, host, port, '--admin-')));
        admin!.listen({ host, port }, resolve);
      });
      return urlOf(admin!, host, tls !== null);
    },
    useTls(next) {
      for (const server of servers) (server as unknown as HttpsServer).setSecureContext(next.context);
    },
    async closeAdmin() {
      if (!admin?.listening) return;
      const closed = new Promise<void>((resolve) => admin.close(() => resolve()));
      admin.closeIdleConnections();
      await closed;
    },
  };
}

/** As people on this machine reach it; a server that listens everywhere is here, too. */
export function urlOf(server: Server, host: string, secure: boolean): string {
  const { port } = server.address() as AddressInfo;
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `${secure ? 'https' : 'http'}://${name}:${port}`;
}

export function listenError(cause: unknown, host: string, port: number, prefix = '--'): TributaryError {
  const { code = 'unknown' } = cause as { code?: string };
  const known: Record<string, string> = {
    EADDRINUSE: 'another process listens there',
    EACCES: 'this user may not',
    EADDRNOTAVAIL: 'this machine has no such address',
  };
  return new TributaryError('unavailable', `Cannot listen on ${host}:${port}: ${known[code] ?? code}.`, {
    remedy: `Choose another ${prefix}port (0 takes a free one) or ${prefix}host.`,
    cause,
  });
}
