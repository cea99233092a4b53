/** A session that comes back: links one after the other, with backoff between, and requests authenticated by the current one. */
import {
  asTributaryError,
  authorizeRequest,
  type ClientMessage,
  type ErrorCode,
  type Identity,
  type RequestLine,
  type ServerMessage,
  type SessionKeys,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { BACKOFF, type Backoff, backoffDelay } from './backoff.ts';
import { type Link, openLink } from './link.ts';
import { createPace } from './reading.ts';
import { requireSecureUrl } from './url.ts';

export interface ConnectionOptions {
  readonly url: string;
  readonly identity: Identity;
  /** Pinned key of the coordinator. */
  readonly coordinator: string;
  /**
   * Asked when the coordinator shows another key than the pinned one: the key to go on with, or null for none. What it
   * throws takes the place of `wrong-coordinator`.
   */
  readonly successor?: (base: URL) => Promise<string | null>;
  /** Plain HTTP to another machine. */
  readonly allowInsecure?: boolean;
  /** Highest epoch that this node has seen of it; asked for at each new session. */
  readonly epoch?: () => number;
  /** The coordinator has proved itself, in this epoch of its history; its first message follows. */
  readonly greeted?: (epoch: number) => void;
  readonly message: (message: ServerMessage) => void;
  /** Messages that have not been taken up yet: with too many of them it reads no further. */
  readonly backlog?: () => number;
  /** The session is gone; another one is under way unless `final`. */
  readonly down: (error: TributaryError, final: boolean) => void;
  readonly backoff?: Backoff;
  readonly handshakeMs?: number;
  readonly silenceMs?: number;
}

export interface Connection {
  readonly base: URL;
  /** Dropped (false) while there is no session: the coordinator repeats itself when this node is back. */
  send(message: ClientMessage): boolean;
  /** Authorization header under the current session; waits for one. @throws AbortError; unavailable when closed */
  authorize(line: RequestLine, signal: AbortSignal): Promise<string>;
  close(): void;
}

/** Waiting does not mend these. Each comes from the first contact, or means that another node or key took this one's place. */
const FINAL: readonly ErrorCode[] = ['superseded', 'identity-cloned', 'key-rotated'];
const FINAL_AT_FIRST: readonly ErrorCode[] = [
  ...FINAL,
  'wrong-coordinator',
  'bad-signature',
  'unsupported-version',
  'unauthenticated',
  'forbidden',
];

interface Session {
  readonly keys: SessionKeys;
  counter: number;
}

/** Starts connecting at once. @throws malformed, policy-refused for a URL that is not allowed */
export function connect(options: ConnectionOptions): Connection {
  const base = requireSecureUrl(options.url, options.allowInsecure ?? false);
  const { identity, backoff = BACKOFF, handshakeMs, silenceMs } = options;
  let { coordinator } = options;
  const pace = createPace();
  const waiting = new Set<(session: Session | null) => void>();
  let link: Link | null = null;
  let session: Session | null = null;
  let failures = 0;
  let everReady = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  function open(): void {
    let keys: SessionKeys | null = null;
    link = openLink({
      ...{ url: base, identity, coordinator, epoch: options.epoch?.() ?? 0, pace },
      backlog: options.backlog ?? (() => 0),
      ...(handshakeMs === undefined ? {} : { handshakeMs }),
      ...(silenceMs === undefined ? {} : { silenceMs }),
      handlers: {
        open(derived, epoch) {
          keys = derived;
          options.greeted?.(epoch);
        },
        message(message) {
          if (keys && !session) {
            session = { keys, counter: 0 };
            everReady = true;
            failures = 0;
            for (const wake of waiting) wake(session);
            waiting.clear();
          }
          options.message(message);
        },
        closed: lost,
      },
    });
  }

  function lost(error: TributaryError): void {
    link = null;
    session = null;
    if (closed) return;
    if (error.code === 'wrong-coordinator' && options.successor) void succeed(error, options.successor);
    else givenUp(error);
  }

  async function succeed(
    error: TributaryError,
    successor: NonNullable<ConnectionOptions['successor']>,
  ): Promise<void> {
    try {
      const next = await successor(base);
      if (closed) return;
      if (next === null) return givenUp(error);
      coordinator = next;
      // Not at once: a coordinator that makes key after key is not to be followed without a pause.
      timer = setTimeout(open, backoffDelay(backoff, ++failures));
    } catch (thrown) {
      if (!closed) givenUp(asTributaryError(thrown));
    }
  }

  function givenUp(error: TributaryError): void {
    const final = (everReady ? FINAL : FINAL_AT_FIRST).includes(error.code);
    if (final) shut();
    else timer = setTimeout(open, backoffDelay(backoff, ++failures));
    options.down(error, final);
  }

  function shut(): void {
    closed = true;
    clearTimeout(timer);
    for (const wake of waiting) wake(null);
    waiting.clear();
  }

  open();
  return {
    base,
    send: (message) => link?.send(message) ?? false,
    async authorize(line, signal) {
      const current = session ?? (await nextSession(signal));
      if (!current) throw new TributaryError('unavailable', 'The connection is closed.');
      return authorizeRequest(nodeCrypto, current.keys, line, current.counter++);
    },
    close() {
      shut();
      link?.close();
    },
  };

  function nextSession(signal: AbortSignal): Promise<Session | null> {
    signal.throwIfAborted();
    if (closed) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      const wake = (next: Session | null) => {
        signal.removeEventListener('abort', onAbort);
        resolve(next);
      };
      const onAbort = () => {
        waiting.delete(wake);
        reject(signal.reason);
      };
      waiting.add(wake);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
