import type { Tensor } from '@tensorflow/tfjs-core';
import type { Plan } from '@tributary/protocol';
import { describe, expect, test } from 'vitest';
import type { Dataset } from '../../data/dataset.ts';
import { loadEngine } from '../engine/engine.ts';
import { createLocalModel } from '../model/local-model.ts';
import { buildModel, initialWeights, prepareTopology } from '../model/topology.ts';
import type { Topology } from '../model/topology-tree.ts';
import { namedWeights, readWeights } from '../model/weights.ts';
import { planOf, sequential, tableFeatures, tableRows } from '../test-plans.ts';
import { checkDataset } from './batches.ts';
import { createStep } from './step.ts';
import { evaluateRows, trainRows } from './training.ts';

const quadrant = tableFeatures(2, { kind: 'class', classes: ['a', 'b', 'c', 'd'] });
const seed = (byte: number) => new Uint8Array(32).fill(byte);
const allRows = (dataset: Dataset) => Uint32Array.from({ length: dataset.rows }, (_, row) => row);
const corners = (rows: number) => tableRows(rows, 2, ([x, y]) => Number(x! > 0) + 2 * Number(y! > 0));

function mlp(...between: [string, object][]) {
  return sequential(['Dense', { units: 16, activation: 'tanh', batch_input_shape: [null, 2] }], ...between, [
    'Dense',
    { units: 4, activation: 'softmax' },
  ]);
}

async function prepared(given: Parameters<typeof planOf>[0]): Promise<Plan> {
  const plan = planOf({ features: quadrant, ...given });
  const topology = await prepareTopology(plan.model.topology, plan.seed);
  return { ...plan, model: { topology } };
}

async function train(plan: Plan, dataset: Dataset, rows = allRows(dataset), taskSeed = seed(1)) {
  const engine = await loadEngine();
  const model = await createLocalModel(engine, plan);
  model.load(await initialWeights(plan));
  const before = evaluateRows(engine, model, plan, dataset, rows);
  const loss = trainRows(engine, model, plan, dataset, rows, taskSeed, () => {});
  const after = evaluateRows(engine, model, plan, dataset, rows);
  const values = model.values();
  model.dispose();
  return { before, after, loss, values };
}

test.each([
  ['sgd', { name: 'sgd', learningRate: 0.3 }],
  ['adam', { name: 'adam', learningRate: 0.03 }],
])('%s learns the quadrants of the plane', async (_, optimizer) => {
  const plan = await prepared({ topology: mlp(), training: { optimizer, epochs: 15 } });
  const { before, after, loss } = await train(plan, corners(400));
  expect(before.metrics.accuracy).toBeLessThan(0.7);
  expect(after.metrics.accuracy).toBeGreaterThan(0.93);
  // The mean over the last epoch, taken while it still learns, lies near what comes after it.
  expect(Math.abs(loss - after.loss)).toBeLessThan(0.1);
});

test('regression learns a plane, and reports its mean absolute error', async () => {
  const plan = await prepared({
    topology: sequential(['Dense', { units: 1, batch_input_shape: [null, 3] }]),
    features: tableFeatures(3, { kind: 'number' }),
    training: { loss: 'meanSquaredError', metrics: ['meanAbsoluteError'], epochs: 20 },
  });
  const dataset = tableRows(200, 3, ([x, y, z]) => 2 * x! - y! + 0.5 * z! + 1);
  const { after, values } = await train(plan, dataset);
  expect(after.metrics.meanAbsoluteError).toBeLessThan(0.01);
  for (const [at, want] of [2, -1, 0.5, 1].entries()) expect(values[at]).toBeCloseTo(want, 1);
});

test('a binary label learns through one sigmoid unit', async () => {
  const plan = await prepared({
    topology: sequential(['Dense', { units: 1, activation: 'sigmoid', batch_input_shape: [null, 2] }]),
    features: tableFeatures(2, { kind: 'class', classes: ['no', 'yes'] }),
    training: { loss: 'binaryCrossentropy', epochs: 20 },
  });
  const { after } = await train(
    plan,
    tableRows(200, 2, ([x, y]) => Number(x! > y!)),
  );
  expect(after.metrics.accuracy).toBeGreaterThan(0.95);
});

test('one step is what tfjs itself computes from probabilities, with l1, l2 and the layers’ own penalties', async () => {
  const { tf, ...rest } = await loadEngine();
  const engine = { tf, ...rest };
  const topology = mlp([
    'Dense',
    { units: 8, activation: 'relu', kernel_regularizer: { class_name: 'L1L2', config: { l1: 0, l2: 0.02 } } },
  ]);
  const plan = await prepared({ topology, training: { l1: 0.01, l2: 0.03 } });
  const dataset = corners(7);
  const weights = await initialWeights(plan);

  const model = await createLocalModel(engine, plan);
  model.load(weights);
  const step = createStep(engine, model, plan.training);
  const loss = step.train(dataset.features, dataset.labels);
  const ours = model.values();
  step.end();
  model.dispose();

  const reference = await buildModel(plan);
  const optimizer = tf.train.sgd(0.1);
  const cost = optimizer.minimize(
    () => {
      const probabilities = reference.apply(tf.tensor2d(dataset.features, [7, 2]), {
        training: true,
      }) as Tensor;
      const labels = tf.oneHot(tf.tensor1d(dataset.labels, 'int32'), 4);
      const entropy = tf.neg(tf.mean(tf.sum(tf.mul(tf.log(probabilities), labels), -1)));
      const kernels = namedWeights(reference).filter(({ name }) => name.endsWith('/kernel'));
      const penalties = kernels.map(({ name, variable }) => {
        const own = name.startsWith('dense_2') ? 0.02 : 0;
        const squares = tf.mul(tf.sum(tf.square(variable.read())), 0.03 + own);
        return tf.add(squares, tf.mul(tf.sum(tf.abs(variable.read())), 0.01));
      });
      return tf.addN([entropy, ...penalties]) as never;
    },
    true,
    reference.trainableWeights.map((variable) => variable.read() as never),
  )!;
  const want = readWeights(namedWeights(reference)).values;
  expect(loss).toBeCloseTo(cost.dataSync()[0]!, 5);
  for (const [at, value] of want.entries()) expect(ours[at]).toBeCloseTo(value, 5);
  for (const used of [cost, optimizer, reference]) used.dispose();
});

describe('randomness', () => {
  test('shuffling and dropout follow the task seed, bit for bit', async () => {
    const plan = await prepared({ topology: mlp(['Dropout', { rate: 0.5 }]) });
    const dataset = corners(100);
    const first = await train(plan, dataset);
    Math.random();
    expect(await train(plan, dataset)).toEqual(first);
    expect((await train(plan, dataset, allRows(dataset), seed(2))).values).not.toEqual(first.values);
  });

  test('dropout masks differ from step to step', async () => {
    const engine = await loadEngine();
    const drop: [string, object] = ['Dropout', { rate: 0.5 }];
    const plan = await prepared({
      topology: mlp(drop),
      training: { optimizer: { name: 'sgd', learningRate: 1e-30 } },
    });
    const model = await createLocalModel(engine, plan);
    model.load(await initialWeights(plan));
    const step = createStep(engine, model, plan.training);
    const { features, labels } = corners(20);
    const losses = Array.from({ length: 5 }, () => step.train(features, labels));
    expect(new Set(losses).size).toBe(5);
    step.end();
    model.dispose();
  });
});

test('only the given rows train: the others have no influence', async () => {
  const plan = await prepared({ topology: mlp() });
  const dataset = corners(60);
  const rows = allRows(dataset).subarray(0, 45);
  const first = await train(plan, dataset, rows);
  const changed = {
    ...dataset,
    labels: dataset.labels.map((label, row) => (row < 45 ? label : (label + 1) % 4)),
  };
  expect((await train(plan, changed, rows)).values).toEqual(first.values);
  // 45 rows in batches of 10: the last five are a batch of their own, and count.
  const last = {
    ...dataset,
    labels: dataset.labels.map((label, row) => (row === 44 ? (label + 1) % 4 : label)),
  };
  expect((await train(plan, last, rows)).values).not.toEqual(first.values);
});

test('batch normalisation: moving averages travel with the weights, and evaluation leaves them alone', async () => {
  const engine = await loadEngine();
  const plan = await prepared({ topology: mlp(['BatchNormalization', {}]), training: { epochs: 3 } });
  const weights = await initialWeights(plan);
  const { offset, length } = weights.tensors.find(({ name }) => name.endsWith('moving_mean'))!;
  const { values } = await train(plan, corners(50));
  expect(values.length).toBe(weights.values.length);
  expect(values.slice(offset, offset + length)).not.toEqual(weights.values.slice(offset, offset + length));
  const model = await createLocalModel(engine, plan);
  model.load({ tensors: weights.tensors, values });
  evaluateRows(engine, model, plan, corners(50), allRows(corners(50)));
  expect(model.values()).toEqual(values);
  model.dispose();
});

test('a functional model trains, and tensors may come in any order', async () => {
  const engine = await loadEngine();
  const tensor = (layer: string) => [[layer, 0, 0, {}]];
  const dense = (name: string, from: string, config: object) => ({
    class_name: 'Dense',
    name,
    config: { name, ...config },
    inbound_nodes: [tensor(from)],
  });
  const topology = {
    class_name: 'Model',
    config: {
      name: 'branches',
      layers: [
        {
          class_name: 'InputLayer',
          name: 'in',
          config: { name: 'in', batch_input_shape: [null, 2] },
          inbound_nodes: [],
        },
        dense('left', 'in', { units: 6, activation: 'tanh' }),
        dense('right', 'in', { units: 6, activation: 'relu' }),
        {
          class_name: 'Concatenate',
          name: 'join',
          config: { name: 'join' },
          inbound_nodes: [[...tensor('left'), ...tensor('right')]],
        },
        dense('out', 'join', { units: 4, activation: 'softmax' }),
      ],
      input_layers: [['in', 0, 0]],
      output_layers: [['out', 0, 0]],
    },
  };
  const plan = await prepared({
    topology,
    training: { epochs: 10, optimizer: { name: 'sgd', learningRate: 0.3 } },
  });
  const dataset = corners(200);
  const { before, after } = await train(plan, dataset);
  expect(after.loss).toBeLessThan(before.loss / 2);

  const weights = await initialWeights(plan);
  const reversed = [...weights.tensors].reverse();
  let offset = 0;
  const tensors = reversed.map((spec) => {
    const moved = { ...spec, offset };
    offset += spec.length;
    return moved;
  });
  const values = Float32Array.from(
    reversed.flatMap((spec) => [...weights.values.subarray(spec.offset, spec.offset + spec.length)]),
  );
  const model = await createLocalModel(engine, plan);
  model.load({ tensors, values });
  expect(model.values()).toEqual(values);
  expect(evaluateRows(engine, model, plan, dataset, allRows(dataset)).loss).toBeCloseTo(before.loss, 6);
  model.dispose();
});

test('a hundred steps, evaluations and reloads leave no tensor behind', async () => {
  const { tf, ...rest } = await loadEngine();
  const engine = { tf, ...rest };
  const topology = mlp(['Dropout', { rate: 0.2 }], ['BatchNormalization', {}]);
  const optimizer = { name: 'adam', learningRate: 0.01 };
  const plan = await prepared({ topology, training: { optimizer, l2: 0.01, batchSize: 4 } });
  const dataset = corners(82);
  const weights = await initialWeights(plan);
  const empty = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
  const model = await createLocalModel(engine, plan);
  const round = () => {
    model.load(weights);
    evaluateRows(engine, model, plan, dataset, allRows(dataset));
    trainRows(engine, model, plan, dataset, allRows(dataset), seed(1), () => {});
    return [tf.memory().numTensors, tf.engine().backend.numDataIds(), tf.memory().numBytes];
  };
  const first = round();
  for (let again = 0; again < 5; again += 1) expect(round()).toEqual(first);
  model.dispose();
  expect([tf.memory().numTensors, tf.engine().backend.numDataIds()]).toEqual(empty);
});

describe('refused', () => {
  test('a loss that is not finite', async () => {
    const plan = await prepared({
      topology: mlp(),
      training: { optimizer: { name: 'sgd', learningRate: 1000 }, l2: 10 },
    });
    await expect(train(plan, corners(100))).rejects.toMatchObject({ code: 'not-finite' });
  });

  test.each([
    ['a label outside the classes', { labels: Float32Array.of(0, 4) }, /row 1 has the label 4/],
    ['a label between classes', { labels: Float32Array.of(0.5, 1) }, /row 0 has the label 0.5/],
    ['a label too few', { labels: Float32Array.of(1) }, /1 labels for 2 rows/],
    ['a row too short', { features: new Float32Array(3) }, /3 values in 2 rows/],
    ['rows of another shape', { shape: [3] }, /rows are \[3\] and not \[2\]/],
  ])('%s', async (_, change, message) => {
    const plan = planOf({ topology: mlp() as Topology, features: quadrant });
    expect(() => checkDataset(plan, { ...corners(2), ...change })).toThrow(message);
  });
});
