/**
 * What each partner reaches alone: same initial weights, own rows without the same hold-out, rounds x epochs, measured on
 * the same 2,004 digits. One process per core, once the federated run has given the cores back.
 */
import { join } from 'node:path';
import { createTfjsTrainer } from '@tributary/client-sdk';
import type { ModelWeights } from '@tributary/protocol';
import type { BaselineTask, BaselineWord } from './baseline-partner.ts';
import type { Bar } from './board.ts';
import type { Children } from './children.ts';
import { EVALUATOR, type House, type Partner } from './house.ts';
import { pool } from './pool.ts';
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
}

export async function trainAlone({ house, initial, bars, children, cores }: Baseline): Promise<LocalOnly[]> {
  const evaluator = await createTfjsTrainer({
    data: { kind: 'idx', images: 'test-images.idx3-ubyte', labels: 'test-labels.idx1-ubyte' },
    folder: join(house.folder, EVALUATOR),
  });
  try {
    return await pool(house.partners, cores, async (partner, i) => {
      const bar = bars[i]!;
      bar.state = 'training';
      const { first, last } = await trainOne(children, house, partner, initial, (done) => {
        bar.done = done;
      });
      bar.done = 1;
      bar.state = 'done';
      const weights = { tensors: initial.tensors, values: last };
      const { loss, metrics } = await evaluator.evaluate({ plan: house.plan, weights });
      return { name: partner.name, accuracy: metrics.accuracy!, loss, first };
    });
  } finally {
    await evaluator.close();
  }
}

function trainOne(
  children: Children,
  { plan }: House,
  partner: Partner,
  initial: ModelWeights,
  onProgress: (done: number) => void,
): Promise<{ first: Float32Array; last: Float32Array }> {
  return new Promise((resolve, reject) => {
    let first: Float32Array | undefined;
    const child = children.start({
      name: `${partner.name} alone`,
      args: [ours('baseline-partner')],
      env: { TRIBUTARY_PASSPHRASE: partner.passphrase },
      channel: true,
      onMessage(message) {
        const word = message as BaselineWord;
        if (word.kind === 'progress') return onProgress(word.done);
        if (word.round === 1) first = word.values;
        if (word.round < plan.rounds) return undefined;
        child.expected = true;
        return resolve({ first: first!, last: word.values });
      },
    });
    const task: BaselineTask = { plan, initial, name: partner.name, folder: partner.folder };
    child.process.send(task, (error) => error && reject(error));
  });
}
