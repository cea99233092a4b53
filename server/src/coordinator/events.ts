/** What happened in a run, for people who watch: kept in memory, the newest thousand, numbered from 1. */
import type { RunEvent } from '@tributary/protocol';

const KEPT = 1000;

export interface EventLog {
  add(event: Omit<RunEvent, 'seq'>): void;
  /** Ends every reader once it has read what is there. */
  end(): void;
  /** Events after `after`, then new ones as they come, until the run ends or `signal` fires. */
  read(after: number, signal: AbortSignal): AsyncGenerator<RunEvent>;
}

export function createEventLog(): EventLog {
  const kept: RunEvent[] = [];
  const wakers = new Set<() => void>();
  let seq = 0;
  let ended = false;
  const wake = (): void => {
    for (const waker of wakers) waker();
    wakers.clear();
  };
  return {
    add(event) {
      kept.push({ ...event, seq: ++seq });
      if (kept.length > KEPT) kept.shift();
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    async *read(after, signal) {
      // A number from before a restart: start over.
      let last = after > seq ? 0 : after;
      signal.addEventListener('abort', wake, { once: true });
      while (!signal.aborted) {
        for (const event of kept.filter((entry) => entry.seq > last)) {
          last = event.seq;
          yield event;
        }
        if (last < seq) continue;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
        });
      }
    },
  };
}
