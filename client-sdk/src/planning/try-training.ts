/** A few steps on the operator's sample: does the loss fall at all? */
import { type ModelWeights, type Plan, TributaryError } from '@tributary/protocol';
import type { Dataset } from '../data/dataset.ts';
import { loadEngine } from '../trainer/engine/engine.ts';
import { createLocalModel } from '../trainer/model/local-model.ts';
import { checkDataset } from '../trainer/training/batches.ts';
import { seededRandom, shuffle } from '../trainer/training/random.ts';
import { evaluateRows, trainRows } from '../trainer/training/training.ts';
import { type Finding, finding } from './finding.ts';

export interface Trial {
  readonly steps: number;
  readonly rows: number;
  /** Mean loss over the rows, before and after. */
  readonly before: number;
  readonly after: number;
  /** L2 norm of the change. */
  readonly length: number;
}

/** Enough to see a loss fall, and a second or two even for a convolutional net. */
const STEPS = 30;
const MOST_ROWS = 1000;

/** @throws data-invalid when the rows do not fit the plan */
export async function tryTraining(
  plan: Plan,
  weights: ModelWeights,
  dataset: Dataset,
): Promise<{ trial?: Trial; findings: Finding[] }> {
  checkDataset(plan, dataset);
  const engine = await loadEngine();
  const model = await createLocalModel(engine, plan);
  try {
    model.load(weights);
    const { batchSize } = plan.training;
    const seed = Uint8Array.of(1, 2, 3, 4);
    const drawn = Uint32Array.from({ length: dataset.rows }, (_, row) => row);
    shuffle(drawn, seededRandom(seed));
    const rows = drawn.slice(0, Math.min(dataset.rows, MOST_ROWS, STEPS * batchSize));
    const epochs = Math.max(1, Math.floor((STEPS * batchSize) / Math.max(batchSize, rows.length)));
    const short = { ...plan, training: { ...plan.training, epochs } };
    const before = evaluateRows(engine, model, plan, dataset, rows).loss;
    trainRows(engine, model, short, dataset, rows, seed, () => {});
    const after = evaluateRows(engine, model, plan, dataset, rows).loss;
    const values = model.values();
    const length = Math.sqrt(values.reduce((sum, value, at) => sum + (value - weights.values[at]!) ** 2, 0));
    const trial = {
      steps: epochs * Math.ceil(rows.length / batchSize),
      rows: rows.length,
      before,
      after,
      length,
    };
    return { trial, findings: trialFindings(plan, trial, dataset.rows) };
  } catch (thrown) {
    if (!(thrown instanceof TributaryError) || thrown.code !== 'not-finite') throw thrown;
    return {
      findings: [
        finding('error', 'diverges', thrown.message, 'Lower training.optimizer.learningRate by ten.'),
      ],
    };
  } finally {
    model.dispose();
  }
}

/** Of a loss times the rows that it is for (PROTOCOL.md 6.5: 47 bits, 16 of them behind the point). */
const LARGEST_LOSS = 2 ** 31;

function trialFindings(
  { aggregation }: Plan,
  { steps, before, after, length }: Trial,
  allRows: number,
): Finding[] {
  const found: Finding[] = [];
  const weight = aggregation.weights === 'uniform' ? 1 : Math.min(allRows, aggregation.weightCap);
  if (before * weight >= LARGEST_LOSS)
    found.push(
      finding(
        'error',
        'loss-overflow',
        `The loss ${before.toPrecision(3)}, times ${weight} rows, does not fit a masked update.`,
        'Make what is predicted smaller: give features.label a mean and a std, so that its values are near 1.',
      ),
    );
  if (after >= before)
    found.push(
      finding(
        'warning',
        'loss-does-not-fall',
        `After ${steps} steps on the sample the loss is ${after.toPrecision(3)}, before it was ${before.toPrecision(3)}.`,
        'Change training.optimizer.learningRate by a factor of ten, and look at the transforms of the columns.',
      ),
    );
  if (length > aggregation.clip)
    found.push(
      finding(
        'note',
        'trial-clipped',
        `${steps} steps on the sample moved the weights by ${length.toPrecision(2)}; aggregation.clip ${aggregation.clip} would scale that down.`,
        'Raise aggregation.clip if many updates are clipped: `runs show --json` counts them in each round.',
      ),
    );
  return found;
}
