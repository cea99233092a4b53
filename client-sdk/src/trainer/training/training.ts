/** Local training and evaluation, synchronous: it owns its thread. */
import { type Plan, TributaryError } from '@tributary/protocol';
import type { Dataset } from '../../data/dataset.ts';
import type { Engine } from '../engine/port.ts';
import { emptySums } from '../model/heads.ts';
import type { LocalModel } from '../model/local-model.ts';
import type { Evaluation } from '../port.ts';
import { gather, labelsOf, rowWidth } from './batches.ts';
import { seededRandom, shuffle } from './random.ts';
import { createStep } from './step.ts';

/** An evaluation batch: large enough that overhead vanishes, small enough for images. */
const EVALUATION = { rows: 1000, values: 2_000_000 } as const;
/** Progress reports of one task. */
const REPORTS = 40;

/**
 * Trains `model` on `rows` for the plan's epochs; the last, smaller batch of an epoch counts like any other.
 * Returns the mean loss over the rows of the last epoch, penalties included.
 * @throws TributaryError not-finite
 */
export function trainRows(
  engine: Engine,
  model: LocalModel,
  { training }: Plan,
  dataset: Dataset,
  rows: Uint32Array,
  seed: Uint8Array,
  onProgress: (done: number) => void,
): number {
  const { epochs, batchSize } = training;
  const random = seededRandom(seed);
  const order = rows.slice();
  const step = createStep(engine, model, training);
  const batches = Math.ceil(order.length / batchSize);
  const report = progressReporter(epochs * batches, onProgress);
  const trainEpoch = (): number => {
    shuffle(order, random);
    let loss = 0;
    for (let from = 0; from < order.length; from += batchSize) {
      const chosen = order.subarray(from, from + batchSize);
      loss += step.train(gather(dataset, chosen), labelsOf(dataset, chosen)) * chosen.length;
      report();
    }
    return loss / order.length;
  };
  return withMathRandom(random.next, () => {
    try {
      let loss = Number.NaN;
      for (let epoch = 1; epoch <= epochs; epoch += 1) {
        loss = trainEpoch();
        assertFinite(loss, `The training loss of epoch ${epoch}`);
      }
      return loss;
    } finally {
      step.end();
    }
  });
}

/**
 * Means of loss (without penalties) and metrics over `rows`; never changes the model.
 * @throws TributaryError not-finite
 */
export function evaluateRows(
  { tf }: Engine,
  model: LocalModel,
  plan: Plan,
  dataset: Dataset,
  rows: Uint32Array,
): Evaluation {
  const sums = emptySums();
  const size = Math.max(
    1,
    Math.min(EVALUATION.rows, Math.floor(EVALUATION.values / rowWidth(dataset.shape))),
  );
  for (let from = 0; from < rows.length; from += size) {
    const chosen = rows.subarray(from, from + size);
    const outputs = tf.tidy(() => {
      const inputs = tf.tensor(gather(dataset, chosen), [chosen.length, ...model.inputShape], 'float32');
      return model.forward(inputs, false).dataSync() as Float32Array;
    });
    model.head(outputs, labelsOf(dataset, chosen), model.units, sums);
  }
  const count = rows.length;
  const mean = (sum: number) => (count > 0 ? sum / count : 0);
  assertFinite(sums.loss, 'The loss of the incoming model');
  return {
    count,
    loss: mean(sums.loss),
    metrics: Object.fromEntries(plan.training.metrics.map((name) => [name, mean(sums[name])])),
  };
}

function assertFinite(value: number, what: string): void {
  if (!Number.isFinite(value)) throw new TributaryError('not-finite', `${what} is ${value}.`);
}

function progressReporter(total: number, onProgress: (done: number) => void): () => void {
  let done = 0;
  let reported = 0;
  return () => {
    done += 1;
    const level = Math.floor((done / total) * REPORTS);
    if (level === reported) return;
    reported = level;
    onProgress(done / total);
  };
}

/** Dropout and noise layers draw their seeds from Math.random: in this thread, while training, it is the task's. */
function withMathRandom<T>(random: () => number, body: () => T): T {
  const original = Math.random;
  Math.random = random;
  try {
    return body();
  } finally {
    Math.random = original;
  }
}
