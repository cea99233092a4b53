/** The demo from its first process to its last line. */
import { writeFile } from 'node:fs/promises';
import { formatPartition } from '@tributary/client-sdk';
import { TributaryError } from '@tributary/protocol';
import { UsageError } from '../support/usage-error.ts';
import { type Agreed, agree } from './agree.ts';
import { type LocalOnly, trainAlone } from './baseline.ts';
import { createBoard } from './board.ts';
import type { Children } from './children.ts';
import { datasetOf } from './datasets/index.ts';
import { partnerName } from './drop.ts';
import { catchUpload, examine } from './evidence.ts';
import { runFederated } from './federated.ts';
import { build, deal } from './house.ts';
import type { DemoOptions } from './options.ts';
import { resultOf } from './result.ts';
import { summary } from './summary.ts';
import { createView } from './view.ts';

export interface Demo {
  readonly options: DemoOptions;
  readonly folder: string;
  readonly children: Children;
  readonly cores: number;
  /** Fires when the demo is over, however it ended. */
  readonly signal: AbortSignal;
}

export async function runDemo(demo: Demo): Promise<void> {
  const { options, folder, children, cores, signal } = demo;
  const names = Array.from({ length: options.partners }, (_, i) => partnerName(i));
  const board = createBoard(names, options.rounds, Date.now());
  const view = createView(board, process.stdout);
  signal.addEventListener('abort', () => view.close());
  const phase = (text: string): void => {
    board.phase = text;
    view.progress(text);
  };
  if (options.aggregation === 'plain')
    view.line(view.colors.red('PLAIN aggregation: the coordinator sees every update. For comparison only.'));

  const { opening, testRows } = datasetOf(options);
  phase(
    `${opening} are dealt: ${formatPartition(options.partition)}, ${testRows.toLocaleString('en-US')} held out`,
  );
  const dealt = await deal(demo).catch((refusal) => {
    // Nothing is started yet: what cannot be dealt or planned is a matter of the flags.
    throw refusal instanceof TributaryError ? new UsageError(refusal.message, refusal.remedy) : refusal;
  });
  let engine = 'unknown';
  const built = await build({ ...demo, phase }, dealt, {
    engine(used) {
      engine = used;
    },
    killed(name) {
      board.bars.find((each) => each.name === name)!.state = 'killed';
    },
  });
  let agreed: Agreed | undefined;
  if (built.asked) agreed = await agree(built, built.asked, board, view);
  const house = agreed ? { ...built, plan: agreed.plan } : built;
  const upload = catchUpload(folder);
  const { run, initial } = await runFederated({ house, board, view, onEvent: upload.onEvent });

  let localOnly: LocalOnly[] = [];
  if (options.alone) {
    board.localStarted = Date.now();
    for (const bar of board.bars) Object.assign(bar, { done: 0, state: 'waiting' });
    phase('for comparison, each partner trains alone: same start, same rows, same work');
    localOnly = await trainAlone({ house, initial, bars: board.bars, children, cores, options });
  }
  const caught = upload.caught();
  const own = localOnly.find(({ name }) => name === caught?.name)?.first;
  const findings =
    caught && own ? await examine(house, caught, own, initial.values, run.history[0]!.model) : undefined;
  const seconds = (Date.now() - board.started) / 1000;
  const result = resultOf({ options, house, run, agreed, engine, localOnly, findings, seconds });
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, null, 2)}\n`);
  view.close();
  const kept = options.data === undefined ? undefined : { folder: options.data, url: house.url };
  process.stdout.write(summary(result, kept, view.colors));
}
