/** Following a run to its end over the coordinator's event stream, like everybody else does it. */
import type { RunEvent } from '@tributary/protocol';
import type { House } from './house.ts';

/** A run that has waited this long for partners will not go on: milliseconds. */
const WAITING_MS = 30_000;

/**
 * Returns when the run has ended.
 * @param awaited what does not begin while partners are waited for
 * @throws Error in plain words when a partner declines, or the wait is too long
 */
export async function followRun(
  { api, partners }: Pick<House, 'api' | 'partners'>,
  id: string,
  awaited: () => string,
  onEvent: (event: RunEvent) => void,
): Promise<void> {
  const givenUp = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let reason = '';
  try {
    for await (const event of api.events(id, 0, givenUp.signal)) {
      clearTimeout(timer);
      onEvent(event);
      if (event.kind === 'decline') throw declined(event, partners.length);
      if (event.kind === 'ended') return;
      if (event.kind !== 'waiting') continue;
      reason = String(event.data.reason);
      timer = setTimeout(() => givenUp.abort(), WAITING_MS);
    }
  } catch (thrown) {
    if (givenUp.signal.aborted) throw new Error(`${awaited()} does not begin: ${reason}`);
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

function declined({ data }: RunEvent, partners: number): Error {
  const who = data.name ?? `One of the ${partners} partners`;
  return new Error(`${who} does not take part (${data.code}): ${data.reason}`);
}
