/**
 * What each partner reaches alone: same initial weights, own rows without the same hold-out, rounds x epochs, measured on
 * the same rows of the evaluator. One process per core, once the federated run has given the cores back.
 */
import { join } from 'node:path';
import { createTfjsTrainer } from '@tributary/client-sdk';
import type { ModelWeights } from '@tributary/protocol';
import type { AloneTask, AloneWord } from './alone.ts';
import type { Bar } from './board.ts';
import type { Children } from './children.ts';
import { datasetOf } from './datasets/index.ts';
import type { House } from './house.ts';
import { EVALUATOR } from './nodes.ts';
import type { DemoOptions } from './options.ts';
import { ours } from './programs.ts';

export interface LocalOnly {
  readonly name: string;
  readonly accuracy: number;
  readonly loss: number;
  /** The weights after the first round's work: what this partner's update looks like before it is masked. */
  readonly first: Float32Array;
}

export interface Baseline {
  readonly house: House;
  readonly initial: ModelWeights;
  readonly bars: readonly Bar[];
  readonly children: Children;
  readonly cores: number;
  readonly options: Pick<DemoOptions, 'dataset' | 'engine'>;
}

export async function trainAlone({
  house,
  initial,
  bars,
  children,
  cores,
  options,
}: Baseline): Promise<LocalOnly[]> {
  const { plan, partners, folder } = house;
  const { engine } = options;
  const { data } = datasetOf(options);
  const evaluator = await createTfjsTrainer({
    ...{ data: data.test, folder: join(folder, EVALUATOR), engine },
  });
  const results: LocalOnly[] = [];
  let next = 0;
  const lane = async (_: unknown, number: number): Promise<void> => {
    const train = startLane(children, number + 1);
    while (next < partners.length) {
      const index = next++;
      const bar = bars[index]!;
      bar.state = 'training';
      const task = { plan, initial, ...partners[index]!, data: data.train, engine };
      const { first, last } = await train(task, (done) => {
        bar.done = done;
      });
      Object.assign(bar, { done: 1, state: 'done' });
      const weights = { tensors: initial.tensors, values: last };
      const { loss, metrics } = await evaluator.evaluate({ plan, weights });
      results[index] = { name: task.name, accuracy: metrics.accuracy!, loss, first };
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(cores, partners.length) }, lane));
    return results;
  } finally {
    await evaluator.close();
  }
}

type Train = (
  task: AloneTask,
  onProgress: (done: number) => void,
) => Promise<{ first: Float32Array; last: Float32Array }>;

/** A process that trains one partner after the other. */
function startLane(children: Children, number: number): Train {
  let hear: (word: AloneWord) => void = () => {};
  const child = children.start({
    name: `training-alone-${number}`,
    args: [ours('alone')],
    onMessage: (message) => hear(message as AloneWord),
  });
  return (task, onProgress) =>
    new Promise((resolve) => {
      let first: Float32Array | undefined;
      hear = (word) => {
        if (word.kind === 'progress') return onProgress(word.done);
        first ??= word.values;
        if (word.round === task.plan.rounds) resolve({ first, last: word.values });
      };
      child.process.send(task);
    });
}
