import { describe, expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import { createLocalModel } from '../model/local-model.ts';
import { initialWeights, prepareTopology } from '../model/topology.ts';
import { planOf, sequential, tableFeatures, tableRows } from '../test-plans.ts';
import { createStep, createTapedStep } from './step.ts';

type Layers = [string, object][];
const classes = { kind: 'class', classes: ['a', 'b', 'c'] };
const input = { batch_input_shape: [null, 5] };
const output: [string, object] = ['Dense', { units: 3, activation: 'softmax' }];

async function planFor(layers: Layers, training: object = {}, label: object = classes) {
  const plan = planOf({
    topology: sequential(...layers),
    features: tableFeatures(5, label),
    training: { metrics: [], batchSize: 13, ...training },
  });
  return { ...plan, model: { topology: await prepareTopology(plan.model.topology, 1) } };
}

/** Trains twelve batches of 13 rows and one of 4, and returns losses and weights. */
async function walk(plan: Awaited<ReturnType<typeof planFor>>, make: typeof createStep) {
  const engine = await loadEngine();
  const model = await createLocalModel(engine, plan);
  model.load(await initialWeights(plan));
  const count = plan.training.loss === 'binaryCrossentropy' ? 2 : 3;
  const { features, labels } = tableRows(160, 5, ([x, y, z]) => Math.floor(((x! + y! * z! + 2) / 4) * count));
  const step = make(engine, model, plan.training);
  const losses: number[] = [];
  for (let from = 0; from < 160; from += 13)
    losses.push(step.train(features.subarray(from * 5, (from + 13) * 5), labels.subarray(from, from + 13)));
  step.end();
  const values = model.values();
  const short = model.stack !== undefined;
  model.dispose();
  return { losses, values, short };
}

describe('the short way takes the same steps as the tape', () => {
  const dense = (units: number, activation: string, more = {}): [string, object] => [
    'Dense',
    { units, activation, ...more },
  ];
  const two = { kind: 'class', classes: ['no', 'yes'] };
  const cases: [string, Layers, object?, object?][] = [
    ['softmax regression', [['Dense', { ...input, units: 3, activation: 'softmax' }]]],
    ['relu, uneven sizes', [dense(37, 'relu', input), dense(9, 'relu'), output]],
    ['tanh and sigmoid', [dense(8, 'tanh', input), dense(6, 'sigmoid'), output]],
    [
      'no biases',
      [dense(16, 'relu', { ...input, use_bias: false }), dense(3, 'softmax', { use_bias: false })],
    ],
    ['binary', [dense(8, 'relu', input), dense(1, 'sigmoid')], { loss: 'binaryCrossentropy' }, two],
    [
      'regression',
      [dense(8, 'tanh', input), dense(1, 'relu')],
      { loss: 'meanSquaredError' },
      { kind: 'number' },
    ],
    ['more inputs than one depth', [dense(70, 'relu', input), dense(40, 'relu'), output]],
  ];

  test.each(cases)('%s', async (_, layers, training, label) => {
    const plan = await planFor(layers, training, label);
    const ours = await walk(plan, createStep);
    const taped = await walk(plan, createTapedStep);
    expect(ours.short).toBe(true);
    expect(ours.values).not.toEqual(taped.values.map(() => 0));
    for (const [at, loss] of taped.losses.entries()) expect(ours.losses[at]).toBeCloseTo(loss, 5);
    for (const [at, value] of taped.values.entries()) expect(ours.values[at]).toBeCloseTo(value, 5);
  });
});

test.each<[string, Layers]>([
  ['dropout', [['Dense', { ...input, units: 4 }], ['Dropout', { rate: 0.5 }], output]],
  [
    'a regulariser',
    [
      ['Dense', { ...input, units: 4, kernel_regularizer: { class_name: 'L1L2', config: { l1: 0, l2: 1 } } }],
      output,
    ],
  ],
  [
    'a constraint',
    [['Dense', { ...input, units: 4, bias_constraint: { class_name: 'NonNeg', config: {} } }], output],
  ],
  ['a frozen layer', [['Dense', { ...input, units: 4, trainable: false }], output]],
  ['an activation it does not know', [['Dense', { ...input, units: 4, activation: 'elu' }], output]],
  [
    'a dense layer on a matrix',
    [['Reshape', { ...input, target_shape: [5, 1] }], ['Dense', { units: 2 }], ['Flatten', {}], output],
  ],
])('a model with %s is left to the tape', async (_, layers) => {
  const { short } = await walk(await planFor(layers), createStep);
  expect(short).toBe(false);
});
