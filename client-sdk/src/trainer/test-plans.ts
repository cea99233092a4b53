/** Plans and data that the tests of this folder share. */
import { type Plan, parsePlan } from '@tributary/protocol';
import type { Dataset } from '../data/dataset.ts';
import { seededRandom } from './training/random.ts';

export const DIGITS = {
  kind: 'image',
  height: 28,
  width: 28,
  channels: 1,
  classes: [...'0123456789'],
} as const;

/** The 2NN of McMahan et al. 2017: 784-200-200-10. */
export const MLP = {
  class_name: 'Sequential',
  config: {
    layers: [
      { class_name: 'Flatten', config: { batch_input_shape: [null, 28, 28, 1] } },
      { class_name: 'Dense', config: { units: 200, activation: 'relu' } },
      { class_name: 'Dense', config: { units: 200, activation: 'relu' } },
      { class_name: 'Dense', config: { units: 10, activation: 'softmax' } },
    ],
  },
};

/** `layers` of a Sequential; the first needs its batch_input_shape. */
export function sequential(...layers: [className: string, config: object][]) {
  return {
    class_name: 'Sequential',
    config: { layers: layers.map(([class_name, config]) => ({ class_name, config })) },
  };
}

export function planOf(given: {
  topology: unknown;
  features?: unknown;
  training?: object;
  holdout?: number;
  seed?: number;
}): Plan {
  return parsePlan({
    name: 'test',
    model: { topology: given.topology },
    features: given.features ?? DIGITS,
    training: {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
      batchSize: 10,
      ...given.training,
    },
    aggregation: { clip: 100 },
    cohort: { min: 3 },
    rounds: 1,
    holdout: given.holdout ?? 0.1,
    seed: given.seed ?? 1,
  });
}

/** Columns of numbers in [-1, 1) and the label that `labelOf` gives a row. */
export function tableFeatures(columns: number, label: object) {
  const names = Array.from({ length: columns }, (_, index) => ({
    name: `x${index}`,
    transform: { kind: 'identity' },
  }));
  return { kind: 'table', columns: names, label: { name: 'y', ...label } };
}

export function tableRows(rows: number, columns: number, labelOf: (row: Float32Array) => number): Dataset {
  const random = seededRandom(Uint8Array.of(1, 2, 3, 4));
  const features = Float32Array.from({ length: rows * columns }, () => 2 * random.next() - 1);
  const labels = Float32Array.from({ length: rows }, (_, row) =>
    labelOf(features.subarray(row * columns, (row + 1) * columns)),
  );
  return { rows, shape: [columns], features, labels };
}
