/** Hyper-parameters of a proposal, each with its reason. */
import { weightCapFor } from '../data/digits-plan.ts';
import { niceAbove } from './nice-numbers.ts';

export interface Recipe {
  readonly training: {
    readonly optimizer: { readonly name: 'sgd' | 'adam'; readonly learningRate: number };
    readonly epochs: number;
    readonly batchSize: number;
  };
  readonly clip: number;
  readonly weightCap: number;
  readonly rounds: number;
  /** By the path of the field in the plan. */
  readonly why: Readonly<Record<string, string>>;
}

export interface RecipeInput {
  /** Of the sample: a partner's share is taken to be about as large. */
  readonly rows: number;
  readonly net: 'plain' | 'mlp' | 'convolution' | 'recurrent' | 'embedding';
  /** L2 norm of the initial weights. */
  readonly norm: number;
}

const OPTIMIZERS = {
  plain: ['adam', 0.02, 'one layer on columns of different scale: Adam fits a step to each of them'],
  mlp: ['adam', 0.003, 'small steps, fitted to each weight: columns differ in scale'],
  convolution: ['adam', 0.001, "Adam's usual rate; convolutions diverge at much larger ones"],
  recurrent: ['adam', 0.003, 'recurrent nets need steps fitted to each weight'],
  embedding: ['adam', 0.01, 'words are rare: each word vector gets steps of its own size'],
} as const;

/** A small net moves by more than its own length in its first rounds, word vectors by still more. */
const LEAST_CLIP = { plain: 5, mlp: 5, convolution: 5, recurrent: 5, embedding: 20 } as const;

export function recipeFor({ rows, net, norm }: RecipeInput): Recipe {
  const [name, learningRate, optimizerWhy] = OPTIMIZERS[net];
  const batchSize = rows < 1000 ? 16 : rows < 20_000 ? 32 : 64;
  const epochs = rows < 1000 ? 4 : rows < 10_000 ? 2 : 1;
  const rounds = 20;
  const clip = niceAbove(Math.max(LEAST_CLIP[net], norm / 2));
  const weightCap = weightCapFor(rows);
  return {
    training: { optimizer: { name, learningRate }, epochs, batchSize },
    clip,
    weightCap,
    rounds,
    why: {
      'training.optimizer': optimizerWhy,
      'training.epochs': `passes over a partner's own rows in one round; more of them drift apart`,
      'training.batchSize': `about ${Math.ceil(rows / batchSize)} steps in an epoch of ${rows} rows`,
      'aggregation.clip': `L2 bound on one partner's update; the initial weights have ${norm.toPrecision(2)}`,
      'aggregation.weightCap':
        "a partner's rows count at most this much; best just above the largest partner, here taken from the sample",
      rounds: 'or fewer, see earlyStop',
    },
  };
}
