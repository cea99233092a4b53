/** Training runs: starting, looking, watching, cancelling. */
import { parsePlan, type RunDetail, type RunSummary, TributaryError } from '@tributary/protocol';
import type { ApiClient } from '../../api-client.ts';
import { command, group } from '../command.ts';
import { connect, URL_ARGS } from '../connect.ts';
import type { Context } from '../context.ts';
import { dateTime, fields, note, printResult, table } from '../output.ts';
import { planWords } from '../plan-words.ts';
import { phaseWords, ROUND_HEADER, roundRow, runState } from '../run-words.ts';
import { watchRun } from '../watch.ts';
import { start } from './runs-start.ts';

const list = command({
  name: 'list',
  description: 'List all runs, the newest first',
  examples: [
    { line: 'runs list', does: 'id, state and progress' },
    { line: 'runs list --json', does: 'the same for a script' },
  ],
  args: URL_ARGS,
  async run(context, args) {
    const runs = newestFirst(await (await connect(context, args)).runs());
    const rows = runs.map(({ id, status, round, rounds, aggregation, created, plan }) => [
      id,
      status,
      `${round}/${rounds}`,
      aggregation,
      dateTime(created),
      plan.slice(0, 16),
    ]);
    const human =
      rows.length > 0
        ? table(context, ['RUN', 'STATUS', 'ROUND', 'SUMS', 'STARTED', 'PLAN'], rows)
        : 'No run yet; `tributary runs start plan.yaml` starts one.';
    printResult(context, runs, human);
  },
});

const show = command({
  name: 'show',
  description: 'Show a run: its plan in plain words, who takes part, and every round',
  examples: [
    { line: 'runs show', does: 'the newest run' },
    { line: 'runs show digits-1a2b3c4d', does: 'by the id in `runs list`' },
  ],
  args: {
    run: { type: 'positional', required: false, description: 'Id of the run; the newest unless given' },
    ...URL_ARGS,
  },
  async run(context, args) {
    const api = await connect(context, args);
    const run = await api.run(await runOrNewest(api, args.run));
    printResult(context, run, runWords(context, run));
  },
});

const watch = command({
  name: 'watch',
  description: 'Follow a run to its end; exit code 0 when it is done, 8 when it failed or was cancelled',
  examples: [
    { line: 'runs watch', does: 'the newest run, live; Ctrl-C leaves it running' },
    { line: 'runs watch digits-1a2b3c4d --json', does: 'one JSON object per event' },
  ],
  args: {
    run: { type: 'positional', required: false, description: 'Id of the run; the newest unless given' },
    ...URL_ARGS,
  },
  async run(context, args) {
    const api = await connect(context, args);
    return watchRun(context, api, await runOrNewest(api, args.run));
  },
});

const cancel = command({
  name: 'cancel',
  description: 'End a run; the rounds that were published stay',
  examples: [{ line: 'runs cancel digits-1a2b3c4d', does: 'by the id in `runs list`' }],
  args: { run: { type: 'positional', description: 'Id of the run' }, ...URL_ARGS },
  async run(context, args) {
    const run = await (await connect(context, args)).cancelRun(args.run);
    printResult(context, run, `${run.id}: ${runState(run)}`);
  },
});

const pause = command({
  name: 'pause',
  description: 'Open no further attempt; the one that is open goes on to its end',
  examples: [{ line: 'runs pause digits-1a2b3c4d', does: 'partners may go home after this round' }],
  args: { run: { type: 'positional', description: 'Id of the run' }, ...URL_ARGS },
  async run(context, args) {
    const run = await (await connect(context, args)).pauseRun(args.run);
    printResult(context, run, `${run.id}: ${runState(run)}`);
    note(context, `Go on with \`tributary runs resume ${run.id}\`.`);
  },
});

const resume = command({
  name: 'resume',
  description: 'Go on with a run that was paused',
  examples: [{ line: 'runs resume digits-1a2b3c4d', does: 'the next attempt opens when partners are ready' }],
  args: { run: { type: 'positional', description: 'Id of the run' }, ...URL_ARGS },
  async run(context, args) {
    const run = await (await connect(context, args)).resumeRun(args.run);
    printResult(context, run, `${run.id}: ${runState(run)}`);
  },
});

export const runs = group({
  name: 'runs',
  description: 'Start training runs and follow them',
  examples: [
    { line: 'runs start plan.yaml', does: 'proposes a plan to the partners' },
    { line: 'runs watch', does: 'follows the newest run' },
  ],
  commands: [start, list, show, watch, pause, resume, cancel],
});

/** @param better the newest of these, or the newest of all when there are none of them. */
export async function runOrNewest(
  api: ApiClient,
  given: string | undefined,
  better: (run: RunSummary) => boolean = () => true,
): Promise<string> {
  if (given !== undefined) return given;
  const runs = newestFirst(await api.runs());
  const newest = runs.find(better) ?? runs[0];
  if (newest) return newest.id;
  throw new TributaryError('not-found', 'There is no run yet.', {
    remedy: 'Start one: `tributary runs start plan.yaml`.',
  });
}

function newestFirst<T extends { created: number }>(runs: readonly T[]): T[] {
  return [...runs].sort((a, b) => b.created - a.created);
}

function runWords(context: Context, run: RunDetail): string {
  const parts = [
    fields(context, [
      ['run', run.id],
      ['state', runState(run)],
      ['started', dateTime(run.created)],
      ['plan hash', run.plan],
      ...planWords(parsePlan(run.planBody)),
    ]),
  ];
  const { current } = run;
  if (current) {
    const partners = current.partners.map(({ name, state, twentieths }) => [
      name,
      state,
      `${5 * twentieths} %`,
    ]);
    parts.push(`Round ${current.round}, attempt ${current.attempt}: ${phaseWords(current.phase)}\n`);
    if (partners.length > 0) parts.push(table(context, ['PARTNER', 'STATE', 'TRAINED'], partners));
  }
  if (run.consents.length > 0)
    parts.push(
      table(
        context,
        ['PARTNER', 'TAKES PART', 'WHY NOT'],
        run.consents.map(({ name, answer, reason }) => [name, ANSWERS[answer], reason ?? '']),
      ),
    );
  if (run.history.length > 0) parts.push(table(context, ROUND_HEADER, run.history.map(roundRow)));
  const voided = (run.voided ?? []).slice(-VOIDED_SHOWN);
  if (voided.length > 0)
    parts.push(
      table(
        context,
        ['ROUND', 'VOID ATTEMPT', 'AT', 'WHY'],
        voided.map(({ round, attempt, time, code, reason }) => [
          String(round),
          String(attempt),
          new Date(time).toISOString().slice(0, 19),
          `${code}: ${reason}`,
        ]),
      ),
    );
  return parts.join('\n');
}

const VOIDED_SHOWN = 10;

const ANSWERS = { consent: 'yes', decline: 'no', none: 'no answer yet' } as const;
