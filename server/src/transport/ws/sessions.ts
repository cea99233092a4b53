/**
 * Control sessions of enrolled nodes. A session is authenticated and sealed before the coordinator hears of it; from
 * then on every frame is opened, validated against its schema and handed on, or the session ends with a typed reason.
 */
import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  asTributaryError,
  CLIENT_MESSAGES,
  type ClientMessage,
  createChannel,
  ERRORS,
  type Identity,
  LIMITS,
  type ServerMessage,
  type SessionKeys,
  TributaryError,
  validate,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { type Frame, greet } from './handshake.ts';
import { createHandshakeSlots } from './handshake-slots.ts';
import { createReplayWindow } from './replay-window.ts';

const SESSION_PATH = '/v1/session';
const PING_MS = 15_000;
/** Messages of one member that wait for their turn. */
const MAX_WAITING = 64;

export interface Session {
  readonly id: string;
  readonly member: string;
  readonly keys: SessionKeys;
  /** False for a counter that was used before, or fell out of the window. */
  acceptCounter(counter: number): boolean;
}

export interface SessionHandlers {
  /** @throws unauthenticated, forbidden */
  admit(member: string): Promise<void>;
  connected(session: Session): Promise<void>;
  message(member: string, message: ClientMessage): Promise<void>;
  disconnected(member: string): void;
  /** `outlived`: a newer session of the member took its place although its process was alive. */
  ended(session: Session, outlived: boolean): Promise<void>;
}

export interface Sessions {
  attach(server: Server): void;
  byId(id: string): Session | undefined;
  has(member: string): boolean;
  /** False when the member has no session: the message is not kept, the coordinator sends again on reconnect. */
  send(member: string, message: ServerMessage): boolean;
  broadcast(message: ServerMessage): void;
  close(member: string, error: TributaryError): void;
  closeAll(): Promise<void>;
}

interface Live extends Session {
  /** Nothing that still arrives is looked at. */
  over: boolean;
  readonly socket: WebSocket;
  readonly seal: (message: object) => Uint8Array;
}

export function createSessions(
  identity: Identity,
  epoch: () => number,
  handlers: SessionHandlers,
  log: Logger,
): Sessions {
  const byMember = new Map<string, Live>();
  const byId = new Map<string, Live>();
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: LIMITS.controlFrame + 16,
    perMessageDeflate: false,
  });
  const handshakes = createHandshakeSlots();
  let closing = false;

  async function serve(socket: WebSocket, address: string): Promise<void> {
    socket.on('error', () => socket.terminate());
    const giveBack = handshakes.take(address);
    let live: Live;
    let open: (frame: Uint8Array) => unknown;
    let early: readonly Frame[];
    try {
      const greeting = await greet(socket, identity, epoch(), handlers.admit);
      const channel = createChannel(nodeCrypto, greeting.keys, 'server');
      open = channel.open;
      early = greeting.early;
      live = {
        id: greeting.keys.session,
        member: greeting.member,
        keys: greeting.keys,
        acceptCounter: createReplayWindow(),
        over: false,
        socket,
        seal: channel.seal,
      };
    } catch (error) {
      refuse(socket, error, log);
      return;
    } finally {
      giveBack();
    }
    adopt(live, open, early);
  }

  function adopt(live: Live, open: (frame: Uint8Array) => unknown, early: readonly Frame[]): void {
    const { member, socket } = live;
    const before = byMember.get(member);
    if (before) {
      log.warn({ member }, 'the same identity connected again: the older session is closed');
      end(before, new TributaryError('superseded', 'The same identity connected again.'));
    }
    byMember.set(member, live);
    byId.set(live.id, live);
    let heard = Date.now();
    const heartbeat = setInterval(() => {
      if (Date.now() - heard > LIMITS.silenceMs) socket.terminate();
      else socket.ping();
    }, PING_MS);
    socket.on('pong', () => {
      heard = Date.now();
    });
    // One message at a time, in order: what a member says later never overtakes what it said before.
    let queue: Promise<void> = handlers.connected(live);
    let waiting = 0;
    const take = (data: Buffer, binary: boolean): void => {
      heard = Date.now();
      if (live.over) return;
      try {
        if (!binary) throw new TributaryError('bad-frame', 'After the handshake every frame is sealed.');
        const message = validateMessage(open(data));
        // Who talks faster than it is heard waits at its own end of the line.
        if (++waiting === MAX_WAITING) socket.pause();
        queue = queue
          .then(() => handle(live, message))
          .catch((error) => end(live, error))
          .finally(() => {
            if (--waiting === 0 && socket.isPaused) socket.resume();
          });
      } catch (error) {
        end(live, error);
      }
    };
    for (const { data, binary } of early) take(data, binary);
    socket.on('message', take);
    socket.on('close', (code) => {
      clearInterval(heartbeat);
      byId.delete(live.id);
      const replaced = byMember.get(member) !== live;
      // Only who is alive answers a close; what is dead ends without (RFC 6455, 7.1.5).
      handlers.ended(live, replaced && code !== 1006).catch((err) => log.error({ err, member }, 'fault'));
      if (replaced) return;
      byMember.delete(member);
      handlers.disconnected(member);
    });
    queue.catch((error) => end(live, error));
  }

  /**
   * A refused message is answered and the session goes on; broken frames end it, and a message that the disk refused: the
   * node comes back after a while, is asked again and gives the same answer (PROTOCOL.md 4.4).
   */
  async function handle(live: Live, message: ClientMessage): Promise<void> {
    try {
      await handlers.message(live.member, message);
    } catch (error) {
      const refused = asTributaryError(error);
      if (refused.code === 'storage-failed') {
        log.error({ member: live.member, of: message.type, err: refused }, 'not stored');
        throw refused;
      }
      if (refused.code === 'internal')
        log.error({ err: error, member: live.member, of: message.type }, 'fault');
      else
        log.info(
          { member: live.member, of: message.type, code: refused.code, reason: refused.message },
          'refused',
        );
      await answer(live, {
        type: 'refused',
        of: message.type,
        code: refused.code,
        reason: refused.message.slice(0, LIMITS.reason),
      });
    }
  }

  /** Resolves once the answer has left this process, so that who does not read is not heard any further. */
  function answer(live: Live, message: ServerMessage): Promise<void> {
    return new Promise((resolve) => {
      if (live.socket.readyState !== live.socket.OPEN) resolve();
      else live.socket.send(live.seal(message), () => resolve());
    });
  }

  function send(live: Live, message: ServerMessage): boolean {
    if (live.socket.readyState !== live.socket.OPEN) return false;
    live.socket.send(live.seal(message));
    return true;
  }

  function end(live: Live, error: unknown): void {
    if (live.over) return;
    live.over = true;
    refuse(live.socket, error, log.child({ member: live.member }));
  }

  return {
    attach(http) {
      http.on('upgrade', (request, socket: Duplex, head) => {
        const path = request.url?.split('?', 1)[0];
        const address = request.socket.remoteAddress ?? '';
        if (closing || path !== SESSION_PATH || !handshakes.free(address)) {
          // Node has taken its own listener away: without one, a reset by the other side would end the process.
          socket.on('error', () => socket.destroy());
          const status = path === SESSION_PATH ? '503 Service Unavailable' : '404 Not Found';
          socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
          return;
        }
        server.handleUpgrade(request, socket, head, (accepted) => {
          serve(accepted, address).catch((error) => refuse(accepted, error, log));
        });
      });
    },
    byId: (id) => byId.get(id),
    has: (member) => byMember.has(member),
    send(member, message) {
      const live = byMember.get(member);
      return live ? send(live, message) : false;
    },
    broadcast(message) {
      for (const live of byMember.values()) send(live, message);
    },
    close(member, error) {
      const live = byMember.get(member);
      if (live) end(live, error);
    },
    async closeAll() {
      closing = true;
      for (const live of byMember.values())
        end(live, new TributaryError('unavailable', 'The coordinator is stopping.'));
      for (const socket of server.clients) socket.terminate();
    },
  };
}

function validateMessage(value: unknown): ClientMessage {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  const schema = typeof type === 'string' ? CLIENT_MESSAGES.get(type) : undefined;
  if (!schema)
    throw new TributaryError(
      'malformed',
      `A control message of unknown type ${JSON.stringify(type)?.slice(0, 60)}.`,
    );
  return validate(schema, value, `message ${type}`) as ClientMessage;
}

/** The close reason of a WebSocket holds 123 bytes. */
function refuse(socket: WebSocket, error: unknown, log: Logger): void {
  const known = asTributaryError(error);
  if (known.code === 'internal') log.error({ err: error }, 'fault in a session');
  else log.info({ code: known.code, reason: known.message }, 'session ended');
  const reason = Buffer.from(`${known.code}: ${known.message}`)
    .subarray(0, 120)
    .toString('utf8')
    .replace(/\uFFFD+$/, '');
  socket.close(ERRORS[known.code].close, reason);
  setTimeout(() => socket.terminate(), 2000).unref();
}
