/** The plan of `npm run demo -- --dataset cancer` and of `tributary data split cancer`: a small network on 30 measures. */
import { type Plan, parsePlan } from '@tributary/protocol';
import { DIAGNOSES } from './cancer.ts';
import { weightCapFor } from './digits-plan.ts';

export interface CancerPlanOptions {
  /** All take part: fewer and an attempt does not go on. */
  readonly partners: number;
  readonly rounds?: number;
  readonly epochs?: number;
  readonly batch?: number;
  /** Learning rate of plain SGD. */
  readonly lr?: number;
  readonly seed?: number;
  readonly holdout?: number;
  readonly name?: string;
}

/**
 * Rough range of each measure, in round numbers that an operator can state without having seen a row: radius, texture
 * and perimeter in pixels of the image, area in their squares, the others without a unit.
 */
const RANGES: Readonly<Record<string, { mean: number; se: number; worst: number }>> = {
  radius: { mean: 30, se: 3, worst: 40 },
  texture: { mean: 40, se: 5, worst: 50 },
  perimeter: { mean: 200, se: 20, worst: 250 },
  area: { mean: 2500, se: 500, worst: 4000 },
  smoothness: { mean: 0.2, se: 0.03, worst: 0.25 },
  compactness: { mean: 0.4, se: 0.15, worst: 1 },
  concavity: { mean: 0.4, se: 0.4, worst: 1.2 },
  concave_points: { mean: 0.2, se: 0.05, worst: 0.3 },
  symmetry: { mean: 0.3, se: 0.08, worst: 0.7 },
  fractal_dimension: { mean: 0.1, se: 0.03, worst: 0.2 },
};
const HIDDEN = 16;

/**
 * Its columns state rough ranges (`minmax`): train it as it is, or let partners agree on better constants first
 * (`momentsPlan`, `standardise`).
 * @throws plan-invalid, cohort-too-large
 */
export function cancerPlan(options: CancerPlanOptions): Plan {
  const { partners, rounds = 10, epochs = 5, batch = 8, lr = 0.1, seed = 1, holdout = 0.1 } = options;
  const columns = (['mean', 'se', 'worst'] as const).flatMap((kind) =>
    Object.entries(RANGES).map(([measure, range]) => ({
      name: `${measure}_${kind}`,
      transform: { kind: 'minmax', min: 0, max: range[kind] },
    })),
  );
  return parsePlan({
    name: options.name ?? 'cancer',
    description:
      'Breast masses, malignant or benign, from 30 measures of cell nuclei, with a 30-16-1 network.',
    model: { topology: topology(columns.length) },
    features: {
      kind: 'table',
      columns,
      label: { name: 'diagnosis', kind: 'class', classes: [...DIAGNOSES] },
    },
    training: {
      optimizer: { name: 'sgd', learningRate: lr },
      loss: 'binaryCrossentropy',
      metrics: ['accuracy'],
      epochs,
      batchSize: batch,
    },
    aggregation: { clip: 10, weightCap: weightCapFor(1) },
    cohort: { min: partners },
    rounds,
    holdout,
    seed,
  });
}

/** tfjs layers topology as `model.toJSON(null, false)` writes it, without what is left at its default. */
function topology(columns: number) {
  const dense = (name: string, units: number, activation: string, shape: object = {}) => ({
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
      name,
      trainable: true,
      ...shape,
    },
  });
  return {
    class_name: 'Sequential',
    config: {
      name: 'cancer_mlp',
      layers: [
        dense('hidden', HIDDEN, 'relu', { batch_input_shape: [null, columns], dtype: 'float32' }),
        dense('malignant', 1, 'sigmoid'),
      ],
    },
  };
}
