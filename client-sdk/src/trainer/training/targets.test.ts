/** Rows that are windows of a series, and targets of several values: from the data set to the trained weights. */
import { expect, test } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { loadEngine } from '../engine/engine.ts';
import { createLocalModel } from '../model/local-model.ts';
import { buildModel, initialWeights } from '../model/topology.ts';
import { planOf, sequential, tableFeatures, tableRows } from '../test-plans.ts';
import { checkDataset, gather, labelsOf } from './batches.ts';
import { createStep, createTapedStep } from './step.ts';
import { evaluateRows, trainRows } from './training.ts';

const everyRow = ({ rows }: Dataset) => Uint32Array.from({ length: rows }, (_, row) => row);
const columns = [{ name: 'x', transform: { kind: 'identity' } }];
const series = { kind: 'series', columns, window: 8, horizon: 1, label: { name: 'x', kind: 'number' } };
const text = {
  kind: 'text',
  column: 'note',
  length: 5,
  buckets: 20,
  label: { name: 'y', kind: 'class', classes: ['no', 'yes'] },
};
const itself = { ...tableFeatures(3, {}), label: { kind: 'features' } };
const squared = { loss: 'meanSquaredError', metrics: ['meanAbsoluteError'] };

/** Every window of a sine, to be continued. */
function sine(steps: number): Dataset {
  const features = Float32Array.from({ length: steps }, (_, step) => Math.sin(step / 3));
  const rows = steps - 8;
  const starts = Uint32Array.from({ length: rows }, (_, row) => row);
  return {
    ...{ rows, shape: [8, 1], features, labels: features.slice(8) },
    windows: { starts, groups: [rows], horizon: 1 },
  };
}

const autoencoder = (middle: number) =>
  sequential(
    ['Dense', { units: middle, activation: 'tanh', batch_input_shape: [null, 3] }],
    ['Dense', { units: 3 }],
  );

test.each([
  ['LSTM', ['LSTM', { units: 8, batch_input_shape: [null, 8, 1] }]],
  ['GRU', ['GRU', { units: 8, batch_input_shape: [null, 8, 1] }]],
  ['flat window', ['Dense', { units: 8, activation: 'tanh', batch_input_shape: [null, 8] }]],
] as [string, [string, object]][])('a %s continues a sine', async (_, layer) => {
  const engine = await loadEngine();
  const plan = planOf({
    topology: sequential(layer, ['Dense', { units: 1 }]),
    features: series,
    training: { ...squared, optimizer: { name: 'adam', learningRate: 0.02 }, epochs: 6 },
  });
  const dataset = sine(68);
  checkDataset(plan, dataset);
  const model = await createLocalModel(engine, plan);
  model.load(await initialWeights(plan));
  const rows = everyRow(dataset);
  const before = evaluateRows(engine, model, plan, dataset, rows);
  trainRows(engine, model, plan, dataset, rows, Uint8Array.of(1, 2, 3, 4), () => {});
  expect(evaluateRows(engine, model, plan, dataset, rows).loss).toBeLessThan(before.loss / 3);
  model.dispose();
});

test('an autoencoder learns its rows, the same on the short way and on the taped one', async () => {
  const engine = await loadEngine();
  const plan = planOf({ topology: autoencoder(8), features: itself, training: squared });
  const drawn = tableRows(40, 3, () => 0);
  const dataset = { ...drawn, labels: drawn.features };
  checkDataset(plan, dataset);
  const weights = await initialWeights(plan);
  const trained = [createStep, createTapedStep].map(async (create) => {
    const model = await createLocalModel(engine, plan);
    model.load(weights);
    const rows = everyRow(dataset).subarray(0, 10);
    const before = evaluateRows(engine, model, plan, dataset, rows);
    const step = create(engine, model, plan.training);
    const losses = Array.from({ length: 60 }, () =>
      step.train(gather(dataset, rows), labelsOf(dataset, rows)),
    );
    step.end();
    expect(losses[0]).toBeCloseTo(before.loss, 5);
    expect(losses.at(-1)).toBeLessThan(before.loss / 2);
    const values = model.values();
    model.dispose();
    return values;
  });
  const [short, taped] = [await trained[0]!, await trained[1]!];
  for (const [at, value] of taped.entries()) expect(short[at]).toBeCloseTo(value, 4);
});

const dense = (units: number, from: number, activation = 'linear') =>
  sequential(['Dense', { name: 'out', units, activation, batch_input_shape: [null, from] }]);
const embedding = (ids: number, words = 5) =>
  sequential(
    ['Embedding', { name: 'words', input_dim: ids, output_dim: 2, batch_input_shape: [null, words] }],
    ['GlobalAveragePooling1D', {}],
    ['Dense', { name: 'out', units: 2, activation: 'softmax' }],
  );

test.each<[string, Parameters<typeof planOf>[0], RegExp]>([
  ['windows of another length', { topology: dense(1, 7), features: series }, /takes \[7\].*\[8,1\] or \[8\]/],
  ['a forecast of two numbers', { topology: dense(2, 8), features: series }, /"out": gives \[2\].*\[1\]/],
  ['too few words', { topology: embedding(21, 4), features: text }, /takes \[4\], the features are \[5\]/],
  [
    'an embedding without a row for the padding',
    { topology: embedding(20), features: text },
    /"words": input_dim is 20, 20 buckets and the padding need 21/,
  ],
  ['an autoencoder of too few outputs', { topology: dense(2, 3), features: itself }, /gives \[2\].*\[3\]/],
  [
    'classes of an autoencoder',
    {
      topology: dense(3, 3, 'softmax'),
      features: itself,
      training: { loss: 'sparseCategoricalCrossentropy' },
    },
    /needs a label with classes, the label is the features themselves; take meanSquaredError/,
  ],
  [
    'the accuracy of a forecast',
    { topology: dense(1, 8), features: series, training: { metrics: ['accuracy'] } },
    /accuracy needs a label with classes, the label is a number; take meanAbsoluteError/,
  ],
])('%s are refused, with the layer named', async (_, given, message) => {
  const training = { ...(given.features === text ? { metrics: [] } : squared), ...given.training };
  await expect(buildModel(planOf({ ...given, training }))).rejects.toMatchObject({
    code: 'plan-invalid',
    message: expect.stringMatching(message),
  });
});

test('an embedding with a row for every id is taken', async () => {
  (await buildModel(planOf({ topology: embedding(21), features: text }))).dispose();
});

test.each<[string, Partial<Dataset>, RegExp]>([
  ['a label too few', { labels: new Float32Array(11) }, /11 labels for 12 rows/],
  ['a label that is no number', { labels: new Float32Array(12).fill(Number.NaN) }, /row 0 has the label NaN/],
  ['a row without a window', { rows: 13 }, /12 windows in 1 groups for 13 rows/],
  ['a window behind the end', { features: new Float32Array(18) }, /row 11 ends behind the last of 18 steps/],
])('%s does not fit a series', (_, change, message) => {
  const plan = planOf({ topology: dense(1, 8), features: series, training: squared });
  expect(() => checkDataset(plan, { ...sine(20), ...change })).toThrow(message);
});

test('a target of an autoencoder that is no number does not fit', () => {
  const plan = planOf({ topology: autoencoder(2), features: itself, training: squared });
  const dataset = tableRows(2, 3, () => 0);
  expect(() => checkDataset(plan, dataset)).toThrow(/2 labels for 2 rows/);
  const labels = Float32Array.of(0, 0, 0, 0, Number.POSITIVE_INFINITY, 0);
  expect(() => checkDataset(plan, { ...dataset, labels })).toThrow(/row 1 has the label Infinity/);
});
