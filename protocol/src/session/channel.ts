/**
 * Sealed control frames (PROTOCOL.md 4.2). Each direction has its own key and counts its frames; the count is the nonce,
 * so a frame that was replayed, reordered, dropped or altered does not open, and the session ends.
 */
import type { Crypto } from '../crypto/port.ts';
import { fromUtf8, utf8 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { SessionKeys } from './handshake.ts';

export interface Channel {
  /** One frame holding `message` as JSON. @throws too-large */
  seal(message: object): Uint8Array;
  /** The JSON value in the next frame, not validated yet. @throws bad-frame, too-large */
  open(frame: Uint8Array): unknown;
}

const NO_AAD = new Uint8Array(0);

export function createChannel(crypto: Crypto, keys: SessionKeys, side: 'client' | 'server'): Channel {
  const sendKey = side === 'client' ? keys.clientToServer : keys.serverToClient;
  const receiveKey = side === 'client' ? keys.serverToClient : keys.clientToServer;
  let sent = 0;
  let received = 0;
  return {
    seal(message) {
      const plain = utf8(JSON.stringify(message));
      if (plain.length > LIMITS.controlFrame)
        throw new TributaryError(
          'too-large',
          `A control frame of ${plain.length} bytes; the limit is ${LIMITS.controlFrame}.`,
        );
      return crypto.seal(sendKey, counterNonce(sent++), plain, NO_AAD);
    },
    open(frame) {
      if (frame.length > LIMITS.controlFrame + 16)
        throw new TributaryError(
          'too-large',
          `A control frame of ${frame.length} bytes; the limit is ${LIMITS.controlFrame}.`,
        );
      const plain = crypto.open(receiveKey, counterNonce(received++), frame, NO_AAD);
      try {
        return JSON.parse(fromUtf8(plain));
      } catch {
        throw new TributaryError('bad-frame', 'A sealed frame does not hold JSON.');
      }
    },
  };
}

/** 96-bit nonce: four zero bytes, then the 64-bit little-endian frame count. */
function counterNonce(count: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, count >>> 0, true);
  view.setUint32(8, Math.floor(count / 2 ** 32), true);
  return nonce;
}
