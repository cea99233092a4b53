/**
 * Work on the state folder that the coordinator causes, one piece after the other. It may come faster than a disk writes:
 * what waits must not fill the memory.
 */
export interface InTurn {
  /** @returns false when too much waits already, and it is left out. */
  add(job: () => Promise<unknown>): boolean;
  /** Only the newest of what waits is done. */
  newest<T>(job: (value: T) => Promise<unknown>): (value: T) => void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

const WAITING = 100;

export function createInTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  function add(job: () => Promise<unknown>): boolean {
    if (waiting >= WAITING) return false;
    waiting++;
    // What cannot be read now is read at the next change; a node does not die of it.
    last = last
      .then(() => {
        waiting--;
        return job();
      })
      .catch(() => {});
    return true;
  }

  return {
    add,
    newest<T>(job: (value: T) => Promise<unknown>) {
      let next: { value: T } | null = null;
      return (value: T) => {
        const queued = next !== null;
        next = { value };
        if (queued) return;
        const added = add(async () => {
          const taken = next;
          next = null;
          if (taken) await job(taken.value);
        });
        if (!added) next = null;
      };
    },
    async idle() {
      await last;
    },
  };
}
