/**
 * How fast one member may speak, over all its sessions. Who is too fast is read no further for a while: nothing is lost, and
 * it waits at its own end of the line. It is told once in five minutes; who goes on like that loses the session, and for a
 * while gets no new one.
 */
import { type ClientMessage, TributaryError } from '@tributary/protocol';
import { createBuckets, type Rate } from '../../plugins/buckets.ts';

/** A round takes some seven messages of a member; the shortest rounds on one machine take 30 ms. */
const MESSAGES: Rate = { perSecond: 300, burst: 3000 };
/** What may become a journal entry or a row, with a sync of the disk, however often it is said. */
const COSTLY: ReadonlySet<Heard> = new Set(['consent', 'decline', 'instance', 'evaluation', 'leave']);
const COST = { message: 1, costly: 5, refused: 10 };
/** Sessions of one member: a node that loses its connection comes back with a growing pause. */
const SESSIONS: Rate = { perSecond: 2, burst: 60 };
/** A pause lasts at least so long, in milliseconds; after so many within the window the session ends. */
const PAUSE_MS = 1000;
const PAUSES = 10;
const WINDOW_MS = 300_000;
/** Tokens of SESSIONS that the end costs: 60 s until the next session at least. */
const END = SESSIONS.burst + 60 * SESSIONS.perSecond;

export interface Pausable {
  pause(): void;
  resume(): void;
}

type Heard = ClientMessage['type'] | 'ping' | 'pong';

export interface Tempo {
  heard(type: Heard): void;
  refused(): void;
  /** Another reason to read no further, or none any more. */
  busy(busy: boolean): void;
  stop(): void;
}

export interface Tempi {
  /** @throws rate-limited when the member opens sessions too often */
  admit(member: string): void;
  of(member: string, socket: Pausable, events: TempoEvents): Tempo;
}

export interface TempoEvents {
  /** Once in a window. */
  slowed(error: TributaryError): void;
  ended(error: TributaryError): void;
}

export interface TempiOptions {
  readonly rate?: Rate;
  readonly pauseMs?: number;
  readonly now?: () => number;
}

export function createTempi(options: TempiOptions = {}): Tempi {
  const { rate = MESSAGES, pauseMs = PAUSE_MS, now = Date.now } = options;
  const messages = createBuckets(rate, now);
  const sessions = createBuckets(SESSIONS, now);
  /** Pauses of members in their window; only enrolled members get here. */
  const pauses = new Map<string, { since: number; count: number }>();

  function pausesOf(member: string): { since: number; count: number } {
    const known = pauses.get(member);
    if (known && now() - known.since < WINDOW_MS) return known;
    const fresh = { since: now(), count: 0 };
    pauses.set(member, fresh);
    return fresh;
  }

  return {
    admit(member) {
      const wait = sessions.take(member);
      if (wait > 0)
        throw new TributaryError(
          'rate-limited',
          `Too many sessions of one node: come back in ${Math.ceil(wait / 1000)} s.`,
        );
    },
    of(member, socket, { slowed, ended }) {
      let timer: NodeJS.Timeout | undefined;
      let over = false;
      const held = { slow: false, busy: false };
      const hold = (reason: keyof typeof held, on: boolean): void => {
        if (held[reason] === on) return;
        held[reason] = on;
        if (on) socket.pause();
        else if (!held.slow && !held.busy && !over) socket.resume();
      };
      const rest = (ms: number): void => {
        timer = setTimeout(
          () => {
            const wait = messages.owe(member, 0);
            if (wait > 0) rest(wait);
            else hold('slow', false);
          },
          Math.max(ms, pauseMs),
        );
        timer.unref();
      };
      const spend = (cost: number): void => {
        const wait = messages.owe(member, cost);
        if (wait === 0 || held.slow || over) return;
        const window = pausesOf(member);
        window.count++;
        if (window.count > PAUSES) {
          over = true;
          sessions.owe(member, END);
          ended(
            new TributaryError('rate-limited', 'This node went on sending much more than a round needs.'),
          );
          return;
        }
        hold('slow', true);
        rest(wait);
        if (window.count === 1)
          slowed(
            new TributaryError(
              'rate-limited',
              `More than ${rate.perSecond} messages a second are read later.`,
            ),
          );
      };
      return {
        heard: (type) => spend(COSTLY.has(type) ? COST.costly : COST.message),
        refused: () => spend(COST.refused),
        busy: (on) => hold('busy', on),
        stop() {
          over = true;
          clearTimeout(timer);
        },
      };
    },
  };
}
