import { describe, expect, test } from 'vitest';
import { planOf, sequential, tableFeatures } from '../test-plans.ts';
import { emptySums, headOf } from './heads.ts';

const classes = (count: number) => ({
  kind: 'class',
  classes: Array.from({ length: count }, (_, index) => `c${index}`),
});
const plan = (loss: string, label: object) => {
  const table = tableFeatures(2, label);
  // Features as a label have no name of their own.
  const features = 'kind' in label && label.kind === 'features' ? { ...table, label } : table;
  return planOf({ topology: sequential(), features, training: { loss, metrics: [] } });
};

const cases = [
  { loss: 'sparseCategoricalCrossentropy', label: classes(3), units: 3, labels: [2, 0, 1, 1] },
  { loss: 'categoricalCrossentropy', label: classes(3), units: 3, labels: [0, 0, 2, 1] },
  { loss: 'binaryCrossentropy', label: classes(2), units: 1, labels: [1, 0, 0, 1] },
  { loss: 'meanSquaredError', label: { kind: 'number' }, units: 1, labels: [0.3, -2, 5, 0] },
  { loss: 'meanSquaredError', label: classes(3), units: 3, labels: [2, 0, 1, 1] },
  {
    loss: 'meanSquaredError',
    label: { kind: 'features' },
    units: 2,
    labels: [0.3, -2, 5, 0, 1, 1, -0.5, 0.25],
  },
];

describe.each(cases)('$loss with $units units', ({ loss, label, units, labels }) => {
  const head = headOf(plan(loss, label));
  const outputs = Float32Array.from({ length: 4 * units }, (_, at) => Math.sin(3.7 * at + 1) * 2);
  const targets = Float32Array.from(labels);
  const mean = (values: Float32Array) => {
    const sums = emptySums();
    head(values, targets, units, sums);
    return sums.loss / 4;
  };

  test('the gradient is the slope of the mean loss (central differences)', () => {
    const gradient = new Float32Array(outputs.length);
    head(outputs, targets, units, emptySums(), gradient);
    for (let at = 0; at < outputs.length; at += 1) {
      const up = outputs.slice();
      const down = outputs.slice();
      up[at]! += 1 / 128;
      down[at]! -= 1 / 128;
      expect(gradient[at]).toBeCloseTo((mean(up) - mean(down)) * 64, 4);
    }
  });

  test('outputs of a thousand overflow nothing', () => {
    const sums = emptySums();
    const gradient = new Float32Array(outputs.length);
    head(
      outputs.map((value) => Math.sign(value) * 1000),
      targets,
      units,
      sums,
      gradient,
    );
    expect(Number.isFinite(sums.loss)).toBe(true);
    expect(gradient.every(Number.isFinite)).toBe(true);
  });
});

test('softmax: sums over rows, worked by hand', () => {
  const sums = emptySums();
  const head = headOf(plan('sparseCategoricalCrossentropy', classes(2)));
  head(Float32Array.of(0, 0, Math.log(3), 0), Float32Array.of(1, 0), 2, sums);
  expect(sums.loss).toBeCloseTo(Math.log(2) + Math.log(4 / 3), 6);
  expect(sums.accuracy).toBe(1);
  expect(sums.meanAbsoluteError).toBeCloseTo(0.5 + 0.25, 6);
});

test('sigmoid and squared error: sums over rows, worked by hand', () => {
  const binary = emptySums();
  headOf(plan('binaryCrossentropy', classes(2)))(
    Float32Array.of(0.5, -0.5),
    Float32Array.of(1, 1),
    1,
    binary,
  );
  expect(binary.accuracy).toBe(1);
  expect(binary.loss).toBeCloseTo(Math.log1p(Math.exp(-0.5)) + Math.log1p(Math.exp(0.5)), 6);
  const squared = emptySums();
  headOf(plan('meanSquaredError', { kind: 'number' }))(
    Float32Array.of(3, 1),
    Float32Array.of(1, 2),
    1,
    squared,
  );
  expect(squared).toEqual({ loss: 5, accuracy: 0, meanAbsoluteError: 3 });
});

test('squared error against whole rows: sums over rows of means over units, worked by hand', () => {
  const sums = emptySums();
  const head = headOf(plan('meanSquaredError', { kind: 'features' }));
  head(Float32Array.of(1, 2, 3, 4), Float32Array.of(0, 2, 3, 8), 2, sums);
  expect(sums).toEqual({ loss: 0.5 + 8, accuracy: 0, meanAbsoluteError: 0.5 + 2 });
});
