/** Token buckets: how much each of many senders may ask for, and how long who asked for too much has to wait. */

export interface Rate {
  /** Tokens that come back in a second. */
  readonly perSecond: number;
  /** Tokens of who has been quiet for long. */
  readonly burst: number;
}

export interface Buckets {
  /** @returns 0; or milliseconds until so much will be there: then nothing was taken. */
  take(sender: string, cost?: number): number;
  /** Takes what is there and what is not. @returns milliseconds until the debt is paid */
  owe(sender: string, cost?: number): number;
  giveBack(sender: string, cost?: number): void;
  /** Senders remembered now. */
  readonly size: number;
}

/** Senders remembered: some 1 MB. */
const SENDERS = 10_000;

/** The longest unheard of are forgotten first: who floods is heard of all the time. */
export function createBuckets({ perSecond, burst }: Rate, now: () => number = Date.now): Buckets {
  const levels = new Map<string, { tokens: number; at: number }>();

  function levelOf(sender: string): { tokens: number; at: number } {
    const at = now();
    const known = levels.get(sender);
    // A clock that is set back gives nothing and takes nothing.
    const gained = known ? (Math.max(0, at - known.at) * perSecond) / 1000 : 0;
    const level = { tokens: Math.min(burst, (known?.tokens ?? burst) + gained), at };
    levels.delete(sender);
    levels.set(sender, level);
    for (const oldest of levels.keys()) {
      if (levels.size <= SENDERS) break;
      levels.delete(oldest);
    }
    return level;
  }
  const wait = (missing: number): number => Math.ceil((missing * 1000) / perSecond);

  return {
    take(sender, cost = 1) {
      const level = levelOf(sender);
      if (level.tokens < cost) return wait(cost - level.tokens);
      level.tokens -= cost;
      return 0;
    },
    owe(sender, cost = 1) {
      const level = levelOf(sender);
      level.tokens -= cost;
      return level.tokens >= 0 ? 0 : wait(-level.tokens);
    },
    giveBack(sender, cost = 1) {
      const level = levelOf(sender);
      level.tokens = Math.min(burst, level.tokens + cost);
    },
    get size() {
      return levels.size;
    },
  };
}
