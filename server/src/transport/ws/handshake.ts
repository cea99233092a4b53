/** The coordinator's side of one handshake: a bounded time and two messages, or the socket is closed. */
import { randomBytes } from 'node:crypto';
import {
  createWelcome,
  type Ephemeral,
  finishAsServer,
  Hello,
  type Identity,
  LIMITS,
  Prove,
  type SessionKeys,
  TributaryError,
  validate,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import type { WebSocket } from 'ws';

/** Handshake messages are a few hundred bytes. */
const MAX_MESSAGE = 8 * 1024;

export interface Greeting {
  readonly member: string;
  readonly keys: SessionKeys;
  /** Frames that came right behind the handshake. */
  readonly early: readonly Frame[];
}

/**
 * @param admit refuses unknown or suspended members; called before any signature is made.
 * @throws TributaryError for anything but a proper handshake within the time limit.
 */
export async function greet(
  socket: WebSocket,
  identity: Identity,
  epoch: number,
  admit: (member: string) => Promise<void>,
): Promise<Greeting> {
  const frames = readFrames(socket);
  try {
    const hello = validate(Hello, await frames.json(), 'hello');
    await admit(hello.identity);
    const ephemeral: Ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };
    const welcome = createWelcome(nodeCrypto, identity, ephemeral, hello, epoch, randomBytes(16));
    socket.send(JSON.stringify(welcome));
    const prove = validate(Prove, await frames.json(), 'prove');
    const keys = finishAsServer(nodeCrypto, ephemeral, hello, welcome, prove);
    // Nothing is awaited from here to the session's own listener, so no frame falls in between.
    return { member: hello.identity, keys, early: frames.stop() };
  } finally {
    frames.stop();
  }
}

/** Frames that may wait while the handshake goes on: its own two, and what an eager client sends right behind. */
const MAX_WAITING = 16;

export interface Frame {
  readonly data: Buffer;
  readonly binary: boolean;
}

function readFrames(socket: WebSocket) {
  const arrived: Frame[] = [];
  let failure: TributaryError | null = null;
  let wake: (() => void) | null = null;
  const fail = (error: TributaryError): void => {
    failure ??= error;
    wake?.();
  };
  const onMessage = (data: Buffer, binary: boolean): void => {
    arrived.push({ data, binary });
    if (arrived.length > MAX_WAITING)
      fail(new TributaryError('malformed', 'Too many messages before the handshake was over.'));
    wake?.();
  };
  const onClose = (): void =>
    fail(new TributaryError('unavailable', 'The socket closed during the handshake.'));
  const timer = setTimeout(
    () => fail(new TributaryError('timed-out', `No handshake within ${LIMITS.handshakeMs / 1000} s.`)),
    LIMITS.handshakeMs,
  );
  socket.on('message', onMessage);
  socket.on('close', onClose);
  return {
    async json(): Promise<unknown> {
      while (!failure && arrived.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      if (failure) throw failure;
      const { data, binary } = arrived.shift()!;
      if (binary || data.length > MAX_MESSAGE)
        throw new TributaryError('malformed', 'A handshake message is JSON text of at most 8 KiB.');
      try {
        return JSON.parse(data.toString('utf8'));
      } catch {
        throw new TributaryError('malformed', 'A handshake message is not JSON.');
      }
    },
    /** Stops listening; what came behind the handshake belongs to the session. */
    stop(): Frame[] {
      clearTimeout(timer);
      socket.off('message', onMessage);
      socket.off('close', onClose);
      return arrived;
    },
  };
}
