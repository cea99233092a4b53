/** Before training: partners agree on the constants of their columns, in one secure sum of count, sum and sum of squares. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchMoments, initialWeights, type Moments, standardise } from '@tributary/client-sdk';
import { encodeSafetensors, type Plan, type RunEvent } from '@tributary/protocol';
import type { Board } from './board.ts';
import { PHASES } from './board.ts';
import { followRun } from './follow.ts';
import type { House } from './house.ts';
import type { View } from './view.ts';

export interface Agreed {
  /** The training plan with those constants. */
  readonly plan: Plan;
  readonly run: string;
  readonly moments: Moments;
  readonly seconds: number;
  readonly bytesUp: number;
}

const WORDS: Readonly<Record<string, string>> = {
  ...PHASES,
  advertise: 'partners add up count, sum and sum of squares of their own rows',
  upload: 'partners send masked sums',
  summing: 'the coordinator checks the sum',
};

/** @throws Error in plain words when the run does not reach its end */
export async function agree(house: House, asked: Plan, board: Board, view: View): Promise<Agreed> {
  const { api, folder } = house;
  const model = await api.putBlob(encodeSafetensors(await initialWeights(asked)));
  const { id } = await api.startRun({ plan: asked, model });
  await followRun(
    house,
    id,
    () => 'The sum of the constants',
    (event) => show(event, board, view),
  );
  const run = await api.run(id);
  const [record] = run.history;
  if (run.status !== 'done' || !record)
    throw new Error(`The sum of the constants is ${run.status}: ${run.reason ?? 'no reason given'}`);
  const moments = await fetchMoments(api, id);
  const plan = standardise(house.plan, moments);
  await writeFile(join(folder, 'plan.json'), `${JSON.stringify(plan, null, 2)}\n`);
  for (const bar of board.bars) Object.assign(bar, { done: 0, state: 'waiting' });
  view.line(
    `constants agreed in one ${asked.aggregation.mode} sum: ${moments.rows} rows of ${record.participants.length} partners, ` +
      `${moments.columns.length} columns; ${example(moments)}`,
  );
  const seconds = (record.published - record.started) / 1000;
  return { plan, run: id, moments, seconds, bytesUp: record.bytesUp };
}

function example({ columns }: Moments): string {
  const { name, mean, std } = columns[0]!;
  return `${name} ${mean.toPrecision(5)} +- ${std.toPrecision(4)}`;
}

function show({ kind, data }: RunEvent, board: Board, view: View): void {
  const bar = board.bars.find(({ name }) => name === data.name);
  if (kind === 'phase') {
    board.phase = `constants: ${WORDS[String(data.phase)] ?? data.phase}`;
    view.progress(board.phase);
  }
  if (kind === 'answered' && bar)
    Object.assign(bar, { done: 1, state: ANSWERED[String(data.phase)] ?? bar.state });
}

const ANSWERED = { share: 'shared', upload: 'sent' } as Readonly<
  Record<string, Board['bars'][number]['state']>
>;
