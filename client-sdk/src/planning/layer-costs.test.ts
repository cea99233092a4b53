import { parsePlan, SPEED_CLASSES } from '@tributary/protocol';
import { describe, expect, it, test } from 'vitest';
import { buildModel } from '../trainer/model/topology.ts';
import { namedWeights, readWeights } from '../trainer/model/weights.ts';
import { planOf, sequential, tableFeatures } from '../trainer/test-plans.ts';
import { estimate } from './estimate.ts';
import { layerCosts } from './layer-costs.ts';

const SERIES = {
  kind: 'series',
  columns: [1, 2, 3].map((i) => ({ name: `x${i}`, transform: { kind: 'identity' } })),
  window: 6,
  horizon: 1,
  label: { name: 'x1', kind: 'number' },
};
const TEXT = {
  kind: 'text',
  column: 't',
  length: 8,
  buckets: 20,
  label: { name: 'y', kind: 'class', classes: ['a', 'b'] },
};
const IMAGE = { kind: 'image', height: 8, width: 6, channels: 3, classes: ['a', 'b'] };
const last = (units = 1, activation = 'sigmoid'): [string, object] => ['Dense', { units, activation }];
const input = (...shape: number[]) => ({ batch_input_shape: [null, ...shape] });

/** FLOPs for one example forwards, by hand: two for each multiplication with its addition, one for each bias. */
describe('the work of a layer', () => {
  it.each<[string, object, [string, object][], number[]]>([
    [
      'dense: 2 x 4 x 5 + 5 biases',
      tableFeatures(4, { kind: 'class', classes: ['a', 'b'] }),
      [['Dense', { units: 5, ...input(4) }], last()],
      [45, 11],
    ],
    [
      'convolution: 3 x 3 x 3 -> 4 at 8 x 6 places, then a pool that reads them all',
      IMAGE,
      [
        ['Conv2D', { filters: 4, kernel_size: [3, 3], padding: 'same', ...input(8, 6, 3) }],
        ['MaxPooling2D', { pool_size: [2, 2] }],
        ['Flatten', {}],
        last(),
      ],
      [2 * 27 * 4 * 48 + 192, 192, 0, 2 * 48 + 1],
    ],
    [
      'strided, without padding: 3 x 2 places',
      IMAGE,
      [
        ['Conv2D', { filters: 4, kernel_size: [3, 3], strides: 2, use_bias: false, ...input(8, 6, 3) }],
        ['Flatten', {}],
        last(),
      ],
      [2 * 27 * 4 * 6, 0, 2 * 24 + 1],
    ],
    [
      'depthwise: 3 x 3 for each of 3 channels, twice, at 6 x 4 places',
      IMAGE,
      [
        ['DepthwiseConv2D', { kernel_size: [3, 3], depth_multiplier: 2, ...input(8, 6, 3) }],
        ['Flatten', {}],
        last(),
      ],
      [2 * 9 * 6 * 24 + 144, 0, 2 * 144 + 1],
    ],
    [
      'LSTM: four gates, 6 steps, 3 inputs and 5 units',
      SERIES,
      [['LSTM', { units: 5, ...input(6, 3) }], last(1, 'linear')],
      [6 * 2 * 4 * 5 * (3 + 5), 11],
    ],
    [
      'GRU: three gates',
      SERIES,
      [['GRU', { units: 5, ...input(6, 3) }], last(1, 'linear')],
      [6 * 2 * 3 * 5 * (3 + 5), 11],
    ],
    [
      'an embedding is a look-up; the mean reads 8 x 4',
      TEXT,
      [['Embedding', { input_dim: 21, output_dim: 4, ...input(8) }], ['GlobalAveragePooling1D', {}], last()],
      [0, 32, 9],
    ],
    [
      'attention: 8 words of 4: four projections, feed-forward of 6, and 8 x 8 pairs twice',
      TEXT,
      [
        ['PositionalEmbedding', { input_dim: 21, output_dim: 4, input_length: 8, ...input(8) }],
        ['TransformerEncoder', { num_heads: 2, ff_dim: 6 }],
        ['GlobalAveragePooling1D', {}],
        last(),
      ],
      [32, 8 * 2 * (4 * 16 + 2 * 24) + 2 * 2 * 64 * 4, 32, 9],
    ],
  ])('%s', async (_, features, layers, flops) => {
    const number = features === SERIES;
    const plan = planOf({
      topology: sequential(...layers),
      features,
      training: { loss: number ? 'meanSquaredError' : 'binaryCrossentropy', metrics: [] },
    });
    const model = await buildModel(plan);
    expect(layerCosts(model).map((layer) => layer.flops)).toEqual(flops);
    model.dispose();
  });
});

test('an estimate: time from work, memory from copies, bytes from the protocol', async () => {
  const plan = planOf({
    topology: sequential(['Dense', { units: 5, activation: 'relu', ...input(4) }], last()),
    features: tableFeatures(4, { kind: 'class', classes: ['a', 'b'] }),
    training: { loss: 'binaryCrossentropy', metrics: [], epochs: 2 },
  });
  const model = await buildModel(plan);
  const weights = readWeights(namedWeights(model));
  const costs = estimate(plan, model, weights, 1000);
  // 900 rows twice, three times the work forwards, and 100 held-out rows once.
  expect(costs.work).toBe(56 * (3 * 900 * 2 + 100));
  // Batches of 10, and 4 ms beside the arithmetic of each.
  expect(costs.steps).toBe(180);
  expect(costs.seconds.slow).toBeCloseTo(costs.work / (SPEED_CLASSES.slow.gflops * 1e9) + 180 * 0.004, 9);
  expect(costs.seconds.medium).toBeLessThan(costs.seconds.slow);
  expect(costs.seconds.fast).toBeLessThan(costs.seconds.medium);
  expect(costs.parameters).toBe(31);
  // 31 parameters, 5 scalars of two words, one sentinel.
  expect(costs.traffic.up).toBe(4 * (31 + 10 + 1));
  expect(costs.traffic.down).toBeGreaterThan(4 * 31 + 8);
  expect(costs.memory).toMatchObject({ weights: 4 * 5 * 31, rows: 4 * 1000 * 5 });
  const training = { ...plan.training, optimizer: { name: 'adam', learningRate: 0.01 } };
  const adam = estimate(parsePlan({ ...plan, training }), model, weights, 10);
  expect(adam.memory.weights).toBe(4 * 7 * 31);
  model.dispose();
});
