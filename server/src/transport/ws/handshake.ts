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
  readonly software: string;
  readonly keys: SessionKeys;
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
  const messages = readMessages(socket);
  try {
    const hello = validate(Hello, await messages.next(), 'hello');
    await admit(hello.identity);
    const ephemeral: Ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };
    const welcome = createWelcome(nodeCrypto, identity, ephemeral, hello, epoch, randomBytes(16));
    socket.send(JSON.stringify(welcome));
    const prove = validate(Prove, await messages.next(), 'prove');
    const keys = finishAsServer(nodeCrypto, ephemeral, hello, welcome, prove);
    return { member: hello.identity, software: hello.software, keys };
  } finally {
    messages.stop();
  }
}

function readMessages(socket: WebSocket) {
  const arrived: unknown[] = [];
  let failure: TributaryError | null = null;
  let wake: (() => void) | null = null;
  const fail = (error: TributaryError): void => {
    failure ??= error;
    wake?.();
  };
  const onMessage = (data: Buffer, binary: boolean): void => {
    try {
      if (binary || data.length > MAX_MESSAGE)
        throw new TributaryError('malformed', 'A handshake message is JSON text of at most 8 KiB.');
      arrived.push(JSON.parse(data.toString('utf8')));
      if (arrived.length > 2)
        throw new TributaryError('malformed', 'Too many messages before the handshake was over.');
      wake?.();
    } catch (error) {
      fail(
        error instanceof TributaryError
          ? error
          : new TributaryError('malformed', 'A handshake message is not JSON.'),
      );
    }
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
    async next(): Promise<unknown> {
      while (arrived.length === 0) {
        if (failure) throw failure;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return arrived.shift();
    },
    stop(): void {
      clearTimeout(timer);
      socket.off('message', onMessage);
      socket.off('close', onClose);
    },
  };
}
