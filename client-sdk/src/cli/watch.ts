/** Follows a run to its end, across broken connections: a live view on a terminal, else one line per event. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isOver, type RunDetail, type RunEvent, TributaryError } from '@tributary/protocol';
import type { ApiClient } from '../api-client.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { createLiveView } from './live-view.ts';
import { clock, note, plural } from './output.ts';
import { eventWords, runState } from './run-words.ts';

/** Without an answer for this long, watching is given up: milliseconds. */
const PATIENCE_MS = 10 * 60_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

interface Watcher {
  event(event: RunEvent): void;
  /** State that was fetched, after (re)connecting and at the end. */
  refresh(run: RunDetail): void;
  close(): void;
}

/** @returns ok when the run is done, runEnded when it failed or was cancelled */
export async function watchRun(context: Context, api: ApiClient, id: string): Promise<ExitCode> {
  const { io, json } = context;
  const watcher = !json && io.errTty ? createLiveView(context, () => api.run(id)) : lineWatcher(context);
  try {
    const run = await follow(context, api, id, watcher);
    watcher.refresh(run);
    watcher.close();
    if (!json) io.out(`${run.id}: ${runState(run)}\n`);
    if (run.status !== 'done') return EXIT.runEnded;
    note(context, `Take the model away with \`tributary models pull ${run.id}\`.`);
    return EXIT.ok;
  } finally {
    watcher.close();
  }
}

async function follow(context: Context, api: ApiClient, id: string, watcher: Watcher): Promise<RunDetail> {
  const signal = context.io.interrupted;
  let after = 0;
  let lastAnswer = Date.now();
  let pause = FIRST_PAUSE_MS;
  for (let lost = false; ; ) {
    try {
      const run = await api.run(id);
      if (lost) note(context, 'Connected again.');
      lost = false;
      watcher.refresh(run);
      for await (const event of api.events(id, after, signal)) {
        after = event.seq;
        lastAnswer = Date.now();
        pause = FIRST_PAUSE_MS;
        watcher.event(event);
      }
      const end = await api.run(id);
      if (isOver(end.status)) return end;
      lastAnswer = Date.now();
    } catch (thrown) {
      if (signal.aborted) {
        watcher.close();
        note(context, `The run goes on; \`tributary runs watch ${id}\` follows it again.`);
        signal.throwIfAborted();
      }
      if (!(thrown instanceof TributaryError) || !thrown.retryable) throw thrown;
      if (Date.now() - lastAnswer > PATIENCE_MS) throw thrown;
      if (!lost)
        note(context, `${thrown.message} Trying again for ${plural(PATIENCE_MS / 60_000, 'minute')}.`);
      lost = true;
    }
    await sleep(pause * (0.5 + Math.random()), undefined, { signal });
    pause = Math.min(LONGEST_PAUSE_MS, 2 * pause);
  }
}

function lineWatcher({ io, json }: Context): Watcher {
  return {
    event(event) {
      if (json) return io.out(`${JSON.stringify(event)}\n`);
      const words = eventWords(event);
      if (words !== undefined) io.out(`${clock(event.time)}  ${words}\n`);
    },
    refresh: () => {},
    close: () => {},
  };
}
