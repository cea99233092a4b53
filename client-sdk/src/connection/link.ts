/**
 * One WebSocket from open to close: the signed handshake, then sealed frames, each validated before anything looks at it.
 * Whatever the other side sends that does not fit ends the link with a typed error; nothing here throws at it.
 */
import {
  asTributaryError,
  type Channel,
  type ClientMessage,
  createChannel,
  createHello,
  ERRORS,
  type ErrorCode,
  finishAsClient,
  type Identity,
  LIMITS,
  SERVER_MESSAGES,
  type ServerMessage,
  type SessionKeys,
  TributaryError,
  validate,
  Welcome,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { WebSocket } from 'ws';
import { agentFor } from './agents.ts';
import { networkProblem } from './problems.ts';
import { createReading, type Pace } from './reading.ts';

/** A welcome is a few hundred bytes. */
const MAX_WELCOME = 8 * 1024;
const POLITE_MS = 1000;

export interface LinkOptions {
  readonly url: URL;
  readonly identity: Identity;
  /** Pinned key of the coordinator. */
  readonly coordinator: string;
  /** Highest epoch that this node has seen of it. */
  readonly epoch: number;
  readonly handlers: LinkHandlers;
  readonly pace: Pace;
  /** Messages that were handed over and have not been taken up yet. */
  readonly backlog: () => number;
  readonly handshakeMs?: number;
  /** Without a frame, ping or pong for so long the link is dead. */
  readonly silenceMs?: number;
}

export interface LinkHandlers {
  /** The coordinator has proved its key and named this session; `ready` itself follows as the first message. */
  /** `epoch`: as the coordinator signed it. */
  open(keys: SessionKeys, epoch: number): void;
  message(message: ServerMessage): void;
  /** Exactly once, also when the link never opened. Nothing follows. */
  closed(error: TributaryError): void;
}

export interface Link {
  /** False when the link is not open (any more). @throws too-large */
  send(message: ClientMessage): boolean;
  close(): void;
}

export function openLink(options: LinkOptions): Link {
  const { identity, coordinator, handlers } = options;
  const { handshakeMs = LIMITS.handshakeMs, silenceMs = LIMITS.silenceMs } = options;
  const socket = new WebSocket(sessionUrl(options.url), {
    perMessageDeflate: false,
    maxPayload: LIMITS.controlFrame + 16,
    handshakeTimeout: handshakeMs,
    followRedirects: false,
    agent: agentFor(options.url),
  });
  const ephemeral = { secret: nodeRandom(32), nonce: nodeRandom(32) };
  const hello = createHello(nodeCrypto, identity, ephemeral);
  let channel: Channel | null = null;
  let ready = false;
  let over = false;
  let heard = Date.now();
  const alive = (): void => {
    heard = Date.now();
  };
  const reading = createReading(socket, options.pace, options.backlog, alive);

  const timers = [
    setTimeout(() => {
      if (!ready) end(new TributaryError('timed-out', `No session within ${handshakeMs / 1000} s.`));
    }, handshakeMs),
    setInterval(() => {
      if (Date.now() - heard > silenceMs)
        end(new TributaryError('timed-out', `The coordinator was silent for ${silenceMs / 1000} s.`));
      else if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, silenceMs / 3),
  ];

  function end(error: TributaryError): void {
    if (over) return;
    over = true;
    for (const timer of timers) clearTimeout(timer);
    reading.stop();
    ephemeral.secret.fill(0);
    if (socket.readyState === WebSocket.OPEN) socket.close(ERRORS[error.code].close, error.code);
    // A peer that does not answer the close, and one that never opened.
    if (socket.readyState !== WebSocket.CLOSED) setTimeout(() => socket.terminate(), POLITE_MS).unref();
    handlers.closed(error);
  }

  function greet(data: Buffer, binary: boolean): Channel {
    if (binary || data.length > MAX_WELCOME)
      throw new TributaryError('malformed', `A welcome is JSON text of at most ${MAX_WELCOME} bytes.`);
    const welcome = validate(Welcome, parseText(data), 'welcome');
    const { prove, keys } = finishAsClient(nodeCrypto, identity, ephemeral, hello, welcome, coordinator);
    ephemeral.secret.fill(0);
    if (welcome.epoch < options.epoch)
      throw new TributaryError(
        'stale-epoch',
        `The coordinator is in epoch ${welcome.epoch}, this node has seen ${options.epoch}.`,
      );
    socket.send(JSON.stringify(prove));
    handlers.open(keys, welcome.epoch);
    return createChannel(nodeCrypto, keys, 'client');
  }

  function receive(open: Channel, data: Buffer, binary: boolean): void {
    if (!binary) throw new TributaryError('bad-frame', 'After the handshake every frame is sealed.');
    const message = validateMessage(open.open(data));
    if (!ready && message.type !== 'ready')
      throw new TributaryError('wrong-phase', `The first message is ready, not ${message.type}.`);
    if (ready && message.type === 'ready')
      throw new TributaryError('wrong-phase', 'A session has one message ready, its first.');
    ready = true;
    handlers.message(message);
  }

  socket.on('open', () => socket.send(JSON.stringify(hello)));
  socket.on('ping', () => {
    if (over) return;
    alive();
    reading.heard();
  });
  socket.on('pong', () => {
    if (over) return;
    alive();
    reading.heard();
  });
  socket.on('message', (data: Buffer, binary: boolean) => {
    if (over) return;
    alive();
    try {
      if (channel) receive(channel, data, binary);
      else channel = greet(data, binary);
    } catch (thrown) {
      return end(asTributaryError(thrown));
    }
    if (ready && !over) reading.heard();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => end(socketProblem(error, options.url)));
  socket.on('close', (code, reason) => end(closeProblem(code, reason.toString('utf8'))));

  return {
    send(message) {
      if (over || !channel || !ready || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(channel.seal(message));
      return true;
    },
    close: () => end(new TributaryError('unavailable', 'This node closed the session.')),
  };
}

function sessionUrl(base: URL): URL {
  const url = new URL('/v1/session', base);
  url.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

function parseText(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    throw new TributaryError('malformed', 'A handshake message is not JSON.');
  }
}

function validateMessage(value: unknown): ServerMessage {
  const type = typeof value === 'object' && value !== null ? (value as { type?: unknown }).type : undefined;
  const schema = typeof type === 'string' ? SERVER_MESSAGES.get(type) : undefined;
  if (!schema) {
    const shown = typeof type === 'string' ? JSON.stringify(type.slice(0, 60)) : typeof type;
    throw new TributaryError('malformed', `A control message of unknown type ${shown}.`);
  }
  return validate(schema, value, `message ${type}`) as ServerMessage;
}

function socketProblem(error: NodeJS.ErrnoException, url: URL): TributaryError {
  if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
    return new TributaryError('too-large', `A control frame above ${LIMITS.controlFrame} bytes.`);
  if (error.code?.startsWith('WS_ERR_'))
    return new TributaryError('bad-frame', `${url.origin}: ${error.message}.`);
  return networkProblem(url, error);
}

/** What the owner of a node can do, where the table speaks to people with tokens. */
const REMEDIES: Partial<Readonly<Record<ErrorCode, string>>> = {
  unauthenticated:
    'The operator may have removed this node: ask, and for a new invite; `tributary node init INVITE --dir FOLDER` then takes up the folder that is there.',
  forbidden: 'Ask the operator by telephone: `tributary partners resume NAME` lets this node in again.',
};

/** A close reason is `code: text`. It is not authenticated: a hint for people, and for how soon to come back. */
function closeProblem(status: number, reason: string): TributaryError {
  const [name = '', ...text] = reason.split(': ');
  const known = Object.hasOwn(ERRORS, name) && ERRORS[name as ErrorCode].close === status;
  if (known) {
    const remedy = REMEDIES[name as ErrorCode];
    const message = text.join(': ') || 'The coordinator closed the session.';
    return new TributaryError(name as ErrorCode, message, remedy ? { remedy } : {});
  }
  return new TributaryError('unavailable', `The session was closed (${status}).`);
}
