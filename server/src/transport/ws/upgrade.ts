/** From an HTTP upgrade to a WebSocket that may begin its handshake; everything else is answered with a Problem. */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERRORS, type ErrorCode, TributaryError } from '@tributary/protocol';
import type { WebSocket, WebSocketServer } from 'ws';
import { createBuckets, type Rate } from '../../plugins/buckets.ts';
import { refuseRaw } from '../../plugins/connections.ts';
import { networkOf } from '../../plugins/limits.ts';
import { createHandshakeSlots } from './handshake-slots.ts';

const SESSION_PATH = '/v1/session';
/** Handshakes of one address that fail; those that succeed cost nothing, so that no partner behind it is locked out. */
const FAILING: Rate = { perSecond: 20, burst: 300 };
/** A handshake has two messages of a few hundred bytes; a longer frame would be kept until it is whole. */
const HANDSHAKE_BYTES = 64 * 1024;

export interface Slot {
  readonly address: string;
  /** The handshake is over. `well`: the other side proved who it is. */
  done(well: boolean): void;
}

export interface UpgradeOptions {
  readonly closing: () => boolean;
  /** Behind a proxy that is trusted, whom it speaks for. */
  readonly addressOf?: ((request: IncomingMessage) => string) | undefined;
  readonly serve: (socket: WebSocket, slot: Slot) => void;
}

export function acceptUpgrades(http: Server, server: WebSocketServer, options: UpgradeOptions): void {
  const { closing, serve, addressOf = ({ socket }) => socket.remoteAddress ?? '' } = options;
  const slots = createHandshakeSlots();
  const failing = createBuckets(FAILING);

  const no = (socket: Duplex, code: ErrorCode, message: string, waitMs?: number): void => {
    const headers = waitMs === undefined ? {} : { 'retry-after': Math.ceil(waitMs / 1000) };
    refuseRaw(socket, ERRORS[code].http, new TributaryError(code, message), headers);
  };
  server.on('wsClientError', (error, socket) => no(socket, 'malformed', `${error.message}.`));

  http.on('upgrade', (request, socket: Duplex, head) => {
    if (request.url?.split('?', 1)[0] !== SESSION_PATH)
      return no(socket, 'not-found', `A WebSocket is at ${SESSION_PATH} only.`);
    if (closing()) return no(socket, 'unavailable', 'The coordinator is stopping.', 5000);
    const address = networkOf(addressOf(request));
    if (!slots.free(address)) return no(socket, 'unavailable', 'Too many handshakes are under way.', 5000);
    const wait = failing.take(address);
    if (wait > 0) return no(socket, 'rate-limited', 'Too many failed handshakes of this address.', wait);
    server.handleUpgrade(request, socket, head, (accepted) => {
      const giveBack = slots.take(address);
      let bytes = head.length;
      const count = (part: Buffer): void => {
        bytes += part.length;
        if (bytes > HANDSHAKE_BYTES) accepted.terminate();
      };
      socket.on('data', count);
      serve(accepted, {
        address,
        done(well) {
          socket.off('data', count);
          giveBack();
          if (well) failing.giveBack(address);
        },
      });
    });
  });
}
