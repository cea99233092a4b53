/** What can die: from one instant on nothing of it reaches the outside, and what it waits for never comes. */
import { TributaryError } from '@tributary/protocol';
import type { Dice } from './dice.ts';
import type { Moment, Port } from './faults/faults.ts';
import type { Faults } from './faults/table.ts';
import type { Timeline } from './timeline.ts';

/** One life of a process, from a start to its death. */
export interface Life {
  readonly who: number;
  alive: boolean;
  /** Writes that are under way: at a death each is on disk, or not. */
  readonly pending: Set<() => void>;
}

/** How long the other side of a connection does not notice a death: milliseconds, about. */
const NOTICED_MS = 300;

/** The answer of a process, unless it dies meanwhile: then the connection is reset. */
export async function answerOf<T>(timeline: Timeline, life: Life, ask: () => Promise<T>): Promise<T> {
  let off = (): void => {};
  const broke = new Promise<never>((_, reject) => {
    const watch = (): void => {
      if (life.alive) off = timeline.after(NOTICED_MS, watch);
      else reject(new TributaryError('unavailable', 'The connection broke.'));
    };
    watch();
  });
  try {
    return await Promise.race([ask(), broke]);
  } finally {
    off();
  }
}

export interface Ports {
  /**
   * A call that takes some time. `effect` is what it does to the outside, all at once, or half of it where `torn` is true
   * and the process dies.
   */
  call<T>(
    life: Life,
    port: Port,
    effect: (torn: boolean) => T,
    options?: { writes?: boolean; ms?: number },
  ): Promise<T>;
  /** One that takes no time. @returns whether it happened */
  now(life: Life, port: Port, effect: () => void): boolean;
  /** Runs later, unless the process is dead by then. */
  after(life: Life, ms: number, run: () => void): () => void;
  pause(life: Life, ms: number): Promise<void>;
}

export interface PortsDeps {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly faults: Faults;
  readonly die: (life: Life, down: number) => void;
  readonly passed: (life: Life, port: Port, moment: Moment | 'refused' | 'done') => void;
}

export function createPorts({ timeline, dice, faults, die, passed }: PortsDeps): Ports {
  const never = new Promise<never>(() => {});
  const pause = (life: Life, ms: number): Promise<void> =>
    new Promise((resolve) => timeline.after(ms, () => life.alive && resolve()));

  return {
    async call(life, port, effect, { writes = false, ms = dice.between(0, 4) } = {}) {
      if (!life.alive) return never;
      const fault = faults.at(life.who, port);
      const dies = fault?.kind === 'crash' ? fault : undefined;
      if (dies?.moment === 'before') {
        passed(life, port, 'before');
        die(life, dies.down);
        return never;
      }
      const written = (): void => {
        try {
          effect(false);
        } catch {
          // It was refused; nobody is left to be told.
        }
      };
      if (writes) life.pending.add(written);
      await pause(life, ms);
      life.pending.delete(written);
      if (fault?.kind === 'refuse') {
        passed(life, port, 'refused');
        throw new TributaryError('storage-failed', 'The disk is full (simulated).');
      }
      if (dies?.moment === 'torn') {
        passed(life, port, 'torn');
        effect(true);
        die(life, dies.down);
        return never;
      }
      const result = effect(false);
      if (dies) {
        passed(life, port, 'after');
        die(life, dies.down);
        return never;
      }
      passed(life, port, 'done');
      return result;
    },
    now(life, port, effect) {
      if (!life.alive) return false;
      const fault = faults.at(life.who, port);
      const dies = fault?.kind === 'crash' ? fault : undefined;
      if (dies?.moment === 'before') {
        passed(life, port, 'before');
        die(life, dies.down);
        return false;
      }
      effect();
      if (dies) {
        passed(life, port, 'after');
        die(life, dies.down);
      }
      return true;
    },
    after: (life, ms, run) => timeline.after(ms, () => life.alive && run()),
    pause,
  };
}
