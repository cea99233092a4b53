/** What is logged once per offender and window, however often it happens: a flood must not fill the log. */

const WINDOW_MS = 60_000;
/** Offenders remembered: some 1 MB. */
const OFFENDERS = 10_000;

export interface Notices {
  /** True when this is to be said now: it has not been for a minute. */
  due(what: string): boolean;
}

export function createNotices(now: () => number = Date.now): Notices {
  /** When it was said, oldest first. */
  const said = new Map<string, number>();
  return {
    due(what) {
      const time = now();
      const before = said.get(what);
      if (before !== undefined && time - before < WINDOW_MS) return false;
      said.delete(what);
      said.set(what, time);
      for (const [old, at] of said) {
        if (said.size <= OFFENDERS && time - at < WINDOW_MS) break;
        said.delete(old);
      }
      return true;
    },
  };
}
