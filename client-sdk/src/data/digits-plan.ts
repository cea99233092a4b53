/** The plan of the demo and of `tributary data split digits`: the network "2NN" of McMahan et al. 2017 on real digits. */
import { LIMITS, type Plan, parsePlan } from '@tributary/protocol';

export interface DigitsPlanOptions {
  /** All take part: fewer and an attempt does not go on. */
  readonly partners: number;
  readonly rounds?: number;
  readonly epochs?: number;
  readonly batch?: number;
  /** Learning rate of plain SGD. */
  readonly lr?: number;
  readonly seed?: number;
  readonly holdout?: number;
  /** Rows of the partner that has most of them; sets the weight cap. */
  readonly largest?: number;
  readonly name?: string;
}

const TRAIN_ROWS = 7996;
const HIDDEN = [200, 200];

/** @throws plan-invalid, cohort-too-large */
export function digitsPlan(options: DigitsPlanOptions): Plan {
  const { partners, rounds = 10, epochs = 5, batch = 10, lr = 0.1, seed = 1, holdout = 0.1 } = options;
  return parsePlan({
    name: options.name ?? 'digits',
    description: 'Handwritten digits, 28 x 28 grey pixels, with a 784-200-200-10 network.',
    model: { topology: digitsTopology() },
    features: {
      kind: 'image',
      height: 28,
      width: 28,
      channels: 1,
      classes: Array.from({ length: 10 }, (_, digit) => String(digit)),
    },
    training: {
      optimizer: { name: 'sgd', learningRate: lr },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
      epochs,
      batchSize: batch,
    },
    aggregation: {
      clip: 10,
      weightCap: weightCapFor(options.largest ?? Math.ceil(TRAIN_ROWS / Math.max(1, partners))),
    },
    cohort: { min: partners },
    rounds,
    holdout,
    seed,
  });
}

/**
 * A partner's weight relative to W decides how much of the ring its update uses (PROTOCOL.md 6): W should be near the
 * largest weight, and not below it, and not give the exact count away. So: the next thousand.
 */
export function weightCapFor(rows: number): number {
  return Math.min(LIMITS.weightCap, Math.max(1000, Math.ceil(rows / 1000) * 1000));
}

/** tfjs layers topology as `model.toJSON(null, false)` writes it, without what is left at its default. */
function digitsTopology() {
  const dense = (index: number, units: number, activation: string) => ({
    class_name: 'Dense',
    config: {
      units,
      activation,
      use_bias: true,
      // Glorot uniform
      kernel_initializer: {
        class_name: 'VarianceScaling',
        config: { scale: 1, mode: 'fanAvg', distribution: 'uniform', seed: null },
      },
      bias_initializer: { class_name: 'Zeros', config: {} },
      name: `dense_${index}`,
      trainable: true,
    },
  });
  return {
    class_name: 'Sequential',
    config: {
      name: 'digits_2nn',
      layers: [
        {
          class_name: 'Flatten',
          config: {
            name: 'flatten',
            trainable: true,
            batch_input_shape: [null, 28, 28, 1],
            dtype: 'float32',
          },
        },
        ...HIDDEN.map((units, i) => dense(i + 1, units, 'relu')),
        dense(HIDDEN.length + 1, 10, 'softmax'),
      ],
    },
  };
}
