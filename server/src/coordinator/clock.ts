/** Time as the coordinator sees it: the machine's, or the simulator's. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** @returns calls it off */
  after(ms: number, run: () => void): () => void;
  /** Keeps no process alive. */
  pause(ms: number): Promise<void>;
  /** After the sockets were read once more. */
  tick(): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  pause: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms).unref();
    }),
  tick: () => new Promise((resolve) => setImmediate(resolve)),
};
