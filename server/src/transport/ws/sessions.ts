/**
 * Control sessions of enrolled nodes. A session is authenticated and sealed before the coordinator hears of it; from
 * then on every frame is opened, validated against its schema and handed on, or the session ends with a typed reason.
 */
import type { IncomingMessage, Server } from 'node:http';
import {
  asTributaryError,
  type ClientMessage,
  createChannel,
  ERRORS,
  type Identity,
  LIMITS,
  type ServerMessage,
  type SessionKeys,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { createNotices } from '../../plugins/notices.ts';
import { reasonOf, validateMessage } from './frames.ts';
import { type Frame, greet } from './handshake.ts';
import { createReplayWindow } from './replay-window.ts';
import { createTempi } from './tempo.ts';
import { acceptUpgrades, type Slot } from './upgrade.ts';

const PING_MS = 15_000;
/** Messages of one member that wait for their turn. */
const MAX_WAITING = 64;
/** Bytes that wait for a node that does not read: the proposals of many runs with the greatest plans. */
const MAX_UNREAD = 64 * 1024 * 1024;
const LIMITED = {
  noServer: true,
  maxPayload: LIMITS.controlFrame + 16,
  perMessageDeflate: false,
  /** Our client sends whole messages; a proxy may cut them. Each piece costs far more memory than its bytes. */
  maxFragments: 64,
};

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
  /** `addressOf`: behind a proxy that is trusted, whom it speaks for. */
  attach(server: Server, addressOf?: (request: IncomingMessage) => string): void;
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
  tempi = createTempi(),
): Sessions {
  const byMember = new Map<string, Live>();
  const byId = new Map<string, Live>();
  const server = new WebSocketServer(LIMITED);
  const notices = createNotices();
  let closing = false;

  async function serve(socket: WebSocket, slot: Slot): Promise<void> {
    socket.on('error', () => socket.terminate());
    let well = false;
    let live: Live;
    let open: (frame: Uint8Array) => unknown;
    let early: readonly Frame[];
    try {
      const greeting = await greet(socket, identity, epoch(), handlers.admit);
      tempi.admit(greeting.member);
      well = true;
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
      refuse(socket, error, log.child({ address: slot.address }), slot.address);
      return;
    } finally {
      slot.done(well);
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
    // One message at a time, in order: what a member says later never overtakes what it said before.
    let queue: Promise<void> = handlers.connected(live);
    let waiting = 0;
    const tempo = tempi.of(member, socket, {
      slowed(error) {
        log.warn({ audit: 'rate.limited', member, reason: error.message }, 'a node sends too much');
        send(live, { type: 'refused', of: 'session', code: error.code, reason: error.message });
      },
      ended: (error) => end(live, error),
    });
    socket.on('ping', () => tempo.heard('ping'));
    socket.on('pong', () => {
      heard = Date.now();
      tempo.heard('pong');
    });
    const take = (data: Buffer, binary: boolean): void => {
      heard = Date.now();
      if (live.over) return;
      try {
        if (!binary) throw new TributaryError('bad-frame', 'After the handshake every frame is sealed.');
        const message = validateMessage(open(data));
        // Who talks faster than it is heard waits at its own end of the line.
        if (++waiting === MAX_WAITING) tempo.busy(true);
        tempo.heard(message.type);
        queue = queue
          .then(() => handle(live, message, tempo.refused))
          .catch((error) => end(live, error))
          .finally(() => {
            if (--waiting === 0) tempo.busy(false);
          });
      } catch (error) {
        end(live, error);
      }
    };
    for (const { data, binary } of early) take(data, binary);
    socket.on('message', take);
    socket.on('close', (code) => {
      clearInterval(heartbeat);
      tempo.stop();
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
  async function handle(live: Live, message: ClientMessage, onRefused: () => void): Promise<void> {
    try {
      if (!live.over) await handlers.message(live.member, message);
    } catch (error) {
      const refused = asTributaryError(error);
      if (refused.code === 'storage-failed') {
        log.error({ member: live.member, of: message.type, err: refused }, 'not stored');
        throw refused;
      }
      if (refused.code === 'internal')
        log.error({ err: error, member: live.member, of: message.type }, 'fault');
      else
        log[notices.due(`${live.member} ${refused.code}`) ? 'info' : 'debug'](
          { member: live.member, of: message.type, code: refused.code, reason: refused.message },
          'refused',
        );
      onRefused();
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
    if (live.socket.bufferedAmount > MAX_UNREAD) {
      end(live, new TributaryError('timed-out', `The node has not read ${MAX_UNREAD} bytes.`));
      return false;
    }
    live.socket.send(live.seal(message));
    return true;
  }

  function refuse(socket: WebSocket, error: unknown, by: Logger, offender: string): void {
    const known = asTributaryError(error);
    if (known.code === 'internal') by.error({ err: error }, 'fault in a session');
    else {
      const level = notices.due(`${offender} ends ${known.code}`) ? 'info' : 'debug';
      by[level]({ code: known.code, reason: known.message }, 'session ended');
    }
    socket.close(ERRORS[known.code].close, reasonOf(known));
    setTimeout(() => socket.terminate(), 2000).unref();
  }

  function end(live: Live, error: unknown): void {
    if (live.over) return;
    live.over = true;
    refuse(live.socket, error, log.child({ member: live.member }), live.member);
  }

  return {
    attach(http, addressOf) {
      acceptUpgrades(http, server, {
        closing: () => closing,
        addressOf,
        serve(socket, slot) {
          serve(socket, slot).catch((error) =>
            refuse(socket, error, log.child({ address: slot.address }), slot.address),
          );
        },
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
