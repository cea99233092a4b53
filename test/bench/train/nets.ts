/** The nets of the plan library, and rows of random numbers in the shape that each takes. */
import { join } from 'node:path';
import { readPlanFile, rowShape } from '@tributary/client-sdk/training';
import type { Plan } from '@tributary/protocol';

const PLANS = join(import.meta.dirname, '../../../../client-sdk/plans');

export const NETS = [
  'cnn-32',
  'cnn-64',
  'digits-2nn',
  'logistic-regression',
  'lstm-forecaster',
  'gru-forecaster',
  'embedding-classifier',
  'transformer-encoder',
  'autoencoder',
] as const;
export type Net = (typeof NETS)[number];

const BATCH = 32;

export async function planOf(net: Net): Promise<Plan> {
  const plan = await readPlanFile(join(PLANS, `${net}.yaml`));
  return { ...plan, training: { ...plan.training, batchSize: BATCH } };
}

/** The same numbers for every engine; `units` is the width of the model's output. */
export function batchOf({ features, training }: Plan, units: number) {
  const random = createRandom();
  const width = rowShape(features).reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: BATCH * width }, () =>
    features.kind === 'text' ? Math.floor(random() * (features.buckets + 1)) : random(),
  );
  const classes = training.loss === 'meanSquaredError' ? 0 : Math.max(2, units);
  const reconstructs = features.label?.kind === 'features';
  const labels = reconstructs
    ? values
    : Float32Array.from({ length: BATCH }, () => (classes > 0 ? Math.floor(random() * classes) : random()));
  return { values, labels };
}

/** Lehmer's generator modulo 2^31 - 1. */
function createRandom(): () => number {
  let state = 20_261_122;
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}
