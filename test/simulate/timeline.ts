/** The only clock: events in order of time, then of when they were planned. Between two of them every promise settles. */
export interface Timeline {
  /** Milliseconds since 1970. */
  now(): number;
  /** @returns calls it off */
  after(ms: number, run: () => void): () => void;
  /** Until `over`, nothing is planned any more, or `limit` (a time) is reached. */
  run(over: () => boolean, limit: number): Promise<void>;
}

interface Planned {
  readonly time: number;
  readonly order: number;
  run: (() => void) | null;
}

export const START = 1_700_000_000_000;

export function createTimeline(): Timeline {
  const heap: Planned[] = [];
  let now = START;
  let order = 0;

  function push(planned: Planned): void {
    let at = heap.push(planned) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at]!, heap[parent]!)) break;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  function pop(): Planned | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (!first || !last || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
      if (least === at) return first;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }

  return {
    now: () => now,
    after(ms, run) {
      const planned: Planned = { time: now + Math.max(0, Math.round(ms)), order: order++, run };
      push(planned);
      return () => {
        planned.run = null;
      };
    },
    async run(over, limit) {
      while (!over()) {
        const next = pop();
        if (!next || next.time > limit) return;
        if (!next.run) continue;
        now = Math.max(now, next.time);
        next.run();
        // Microtasks, all of them: nothing in here waits for anything real.
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

function before(a: Planned, b: Planned): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
