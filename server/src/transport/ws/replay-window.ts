/** Request counters of one session: each once, and not older than the window behind the newest (requests may overtake). */
const WINDOW = 1024;

export function createReplayWindow(): (counter: number) => boolean {
  const seen = new Set<number>();
  let newest = -1;
  return (counter) => {
    if (!Number.isSafeInteger(counter) || counter < 0 || counter <= newest - WINDOW || seen.has(counter))
      return false;
    seen.add(counter);
    if (counter > newest) {
      newest = counter;
      for (const old of seen) if (old <= newest - WINDOW) seen.delete(old);
    }
    return true;
  };
}
