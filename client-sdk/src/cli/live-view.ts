/** The live view of a run: phase, a bar per partner, the latest rounds. Draws what the coordinator says, a few times a second. */
import type { RunDetail, RunEvent } from '@tributary/protocol';
import { bar, createScreen } from './bars.ts';
import type { Context } from './context.ts';
import type { Io } from './io.ts';
import { clock } from './output.ts';
import { printable } from './printable.ts';
import { eventWords, phaseWords, ROUND_HEADER, roundRow } from './run-words.ts';

const REFRESH_MS = 250;
const ROUNDS_SHOWN = 10;
const PARTNERS_SHOWN = 20;

/** Worth a line that stays: what a person may have to act on. */
const REMARKABLE = new Set(['decline', 'left', 'abandoned']);

export interface LiveView {
  event(event: RunEvent): void;
  refresh(run: RunDetail): void;
  close(): void;
}

/** @param fetchRun asked again whenever something happened */
export function createLiveView({ io }: Context, fetchRun: () => Promise<RunDetail>): LiveView {
  const screen = createScreen(io);
  let stale = false;
  let asking = false;
  const timer = setInterval(() => {
    if (!stale || asking) return;
    stale = false;
    asking = true;
    fetchRun()
      .then((run) => screen.draw(viewOf(run, io)))
      // The stream of events breaks too, and whoever reads it reports that.
      .catch(() => {})
      .finally(() => {
        asking = false;
      });
  }, REFRESH_MS);
  timer.unref();
  return {
    event(event) {
      stale = true;
      const words = REMARKABLE.has(event.kind) ? eventWords(event) : undefined;
      if (words !== undefined) screen.log(io.colors.err.yellow(`${clock(event.time)}  ${words}`));
    },
    refresh: (run) => screen.draw(viewOf(run, io)),
    close() {
      clearInterval(timer);
      screen.end();
    },
  };
}

export function viewOf(run: RunDetail, io: Io): string[] {
  const { bold, dim, green, cyan } = io.colors.err;
  const lines = [`${bold(run.id)}  ${run.status}, ${run.round} of ${run.rounds} rounds published`, ''];
  const { current } = run;
  if (current) {
    const attempt = current.attempt > 1 ? `, attempt ${current.attempt}` : '';
    lines.push(`Round ${current.round}${attempt}: ${cyan(phaseWords(current.phase))}`);
    const width = Math.max(0, ...current.partners.map(({ name }) => name.length));
    for (const { name, state, twentieths } of byName(current.partners).slice(0, PARTNERS_SHOWN))
      lines.push(`  ${name.padEnd(width)}  ${green(bar(twentieths / 20))}  ${dim(state)}`);
    const hidden = current.partners.length - PARTNERS_SHOWN;
    if (hidden > 0) lines.push(dim(`  and ${hidden} more`));
    lines.push('');
  }
  for (const { name, code, reason } of run.consents.filter(({ answer }) => answer === 'decline'))
    lines.push(`  ${name} does not take part (${code}): ${printable(reason ?? '')}`);
  if (run.history.length === 0) return lines;
  const rows = run.history.slice(-ROUNDS_SHOWN).map(roundRow);
  const cells = [ROUND_HEADER, ...rows.map((row) => row.map(String))];
  const widths = ROUND_HEADER.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  for (const [at, row] of cells.entries()) {
    const line = row.map((cell, column) => cell.padStart(widths[column]!)).join('  ');
    lines.push(at === 0 ? dim(line) : line);
  }
  return lines;
}

/** So that lines do not change places from one attempt to the next. */
function byName<T extends { readonly name: string }>(partners: readonly T[]): T[] {
  return [...partners].sort((a, b) => (a.name < b.name ? -1 : 1));
}
