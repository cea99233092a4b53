/**
 * When a node reads no further for a while. It answers what it is asked, writes refusals down and tells its owner: a
 * coordinator that asks without end must not fill its memory, disk or log. Nothing is lost: what is not read waits at the
 * coordinator's end of the line.
 */
import { LIMITS } from '@tributary/protocol';

/** Answers that the coordinator does not read: bytes. An honest one never has more than a frame or two of them waiting. */
const MAX_UNSENT = 2 * LIMITS.controlFrame;
/** Messages that this node has not taken up yet; each may be a whole frame. */
const MAX_BACKLOG = 16;
/** Between looks at what is in the way: milliseconds. */
const LOOK_MS = 20;

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** A round takes some seven messages; the shortest rounds on one machine take 30 ms. */
const MESSAGES: Rate = { perSecond: 300, burst: 3000 };

/** Over all sessions with one coordinator: coming back is no way around. */
export interface Pace {
  spend(): void;
  /** Until there is room for another message: milliseconds. */
  wait(): number;
}

export function createPace(rate: Rate = MESSAGES, now: () => number = Date.now): Pace {
  let tokens = rate.burst;
  let since = now();
  return {
    spend() {
      tokens--;
    },
    wait() {
      const time = now();
      // A clock that was set back earns nothing.
      tokens = Math.min(rate.burst, tokens + (Math.max(0, time - since) * rate.perSecond) / 1000);
      since = time;
      return tokens >= 0 ? 0 : Math.ceil((-tokens * 1000) / rate.perSecond);
    },
  };
}

export interface Pausable {
  /** Bytes that were sent and have not left. */
  readonly bufferedAmount: number;
  pause(): void;
  resume(): void;
}

export interface Reading {
  /** A message or a ping came. */
  heard(): void;
  stop(): void;
}

/**
 * @param backlog messages that wait for this node.
 * @param alive it is this node that does not listen, or its answers move: no silence of the coordinator.
 */
export function createReading(
  socket: Pausable,
  pace: Pace,
  backlog: () => number,
  alive: () => void,
): Reading {
  let timer: NodeJS.Timeout | undefined;
  let unsent = 0;

  function look(): void {
    const before = unsent;
    unsent = socket.bufferedAmount;
    const unread = unsent > MAX_UNSENT;
    const ms = unread || backlog() > MAX_BACKLOG ? LOOK_MS : pace.wait();
    const held = timer !== undefined;
    timer = ms > 0 ? setTimeout(look, Math.max(ms, LOOK_MS)) : undefined;
    if (held && (!unread || unsent < before)) alive();
    if (held && !timer) socket.resume();
    if (!held && timer) socket.pause();
  }

  return {
    heard() {
      pace.spend();
      if (!timer) look();
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
