import { TributaryError } from '@tributary/protocol';
import { describe, expect, test } from 'vitest';
import { DIGITS, MLP, planOf, sequential, tableFeatures } from '../test-plans.ts';
import { buildModel, initialWeights, prepareTopology } from './topology.ts';
import type { Topology } from './topology-tree.ts';

const dense = (config: object): [string, object] => ['Dense', config];
const image = { batch_input_shape: [null, 28, 28, 1] };

describe('prepareTopology', () => {
  test('is idempotent and leaves its argument alone', async () => {
    const given = structuredClone(MLP) as Topology;
    const once = await prepareTopology(given, 5);
    expect(given).toEqual(MLP);
    expect(await prepareTopology(once, 5)).toEqual(once);
    // Seeds that are there stay: the plan's hash, not the seed given later, decides.
    expect(await prepareTopology(once, 6)).toEqual(once);
  });

  test('names layers by class and fills a seed into every random initializer, all different', async () => {
    const prepared = await prepareTopology(MLP as Topology, 5);
    const { layers } = prepared.config as { layers: { config: Record<string, never> }[] };
    expect(layers.map(({ config }) => config.name)).toEqual(['flatten_1', 'dense_1', 'dense_2', 'dense_3']);
    const seeds = layers
      .slice(1)
      .map(({ config }) => (config.kernel_initializer as { config: { seed: number } }).config.seed);
    expect(new Set(seeds).size).toBe(3);
    for (const seed of seeds) expect(seed).toBeGreaterThan(0);
  });

  test('reaches the cells and layers inside wrappers', async () => {
    const topology = sequential(
      [
        'Bidirectional',
        {
          batch_input_shape: [null, 3, 2],
          layer: { class_name: 'LSTM', config: { units: 2 } },
          merge_mode: 'concat',
        },
      ],
      dense({ units: 10, activation: 'softmax' }),
    ) as Topology;
    const prepared = await prepareTopology(topology, 5);
    expect(JSON.stringify(prepared)).not.toContain('"seed":null');
    expect(await prepareTopology(prepared, 5)).toEqual(prepared);
  });
});

describe('initialWeights', () => {
  test('the same plan gives the same bits, another seed others', async () => {
    const first = await initialWeights(planOf({ topology: MLP }));
    const again = await initialWeights(planOf({ topology: MLP }));
    expect(again.tensors).toEqual(first.tensors);
    expect(Buffer.from(again.values.buffer).equals(Buffer.from(first.values.buffer))).toBe(true);
    const other = await initialWeights(planOf({ topology: MLP, seed: 2 }));
    expect(other.values).not.toEqual(first.values);
  });

  test('tensors are named <layer>/<weight>, cover the vector, and layers of one shape differ', async () => {
    const topology = sequential(
      dense({ units: 4, batch_input_shape: [null, 4] }),
      dense({ units: 4 }),
      dense({ units: 3, activation: 'softmax' }),
    );
    const features = tableFeatures(4, { kind: 'class', classes: ['a', 'b', 'c'] });
    const { tensors, values } = await initialWeights(planOf({ topology, features }));
    expect(tensors.map(({ name, shape, offset }) => [name, shape, offset])).toEqual([
      ['dense_1/kernel', [4, 4], 0],
      ['dense_1/bias', [4], 16],
      ['dense_2/kernel', [4, 4], 20],
      ['dense_2/bias', [4], 36],
      ['dense_3/kernel', [4, 3], 40],
      ['dense_3/bias', [3], 52],
    ]);
    expect(values.length).toBe(55);
    expect(values.slice(0, 16)).not.toEqual(values.slice(20, 36));
  });
});

describe('a plan is refused, with the layer named, when', () => {
  const output = dense({ name: 'out', units: 10, activation: 'softmax' });
  const flatten: [string, object] = ['Flatten', image];
  const two = tableFeatures(2, { kind: 'class', classes: ['no', 'yes'] });
  const number = tableFeatures(2, { kind: 'number' });
  const from2 = { batch_input_shape: [null, 2] };
  const cases: [string, Parameters<typeof planOf>[0], RegExp][] = [
    ['it has no layers', { topology: { class_name: 'Sequential', config: {} } }, /no layers/],
    [
      'a layer class is unknown',
      { topology: sequential(flatten, ['Warp', { name: 'w' }], output) },
      /"w".*Warp/,
    ],
    ['a layer is code', { topology: sequential(flatten, ['Lambda', { name: 'l' }], output) }, /"l".*code/],
    ['nothing says the input shape', { topology: sequential(output) }, /input_?shape/i],
    [
      'two layers share a name',
      { topology: sequential(flatten, dense({ name: 'out', units: 2 }), output) },
      /"out".*two layers/,
    ],
    [
      'a convolution is dilated',
      {
        topology: sequential(
          ['Conv2D', { ...image, name: 'c', filters: 2, kernel_size: 3, dilation_rate: [2, 2] }],
          ['Flatten', {}],
          output,
        ),
      },
      /"c".*dilation_rate \[2,2\]/,
    ],
    [
      'a stride is a fraction',
      {
        topology: sequential(
          ['Conv2D', { ...image, name: 'c', filters: 2, kernel_size: 3, strides: [1.5, 1] }],
          ['Flatten', {}],
          output,
        ),
      },
      /"c": strides .* got \[1.5,1\]/,
    ],
    [
      'nothing is left after a dropout',
      { topology: sequential(flatten, ['Dropout', { name: 'd', rate: 1 }], output) },
      /"d": rate .* got 1/,
    ],
    [
      'an activation is misspelt',
      { topology: sequential(flatten, dense({ name: 'middle', units: 3, activation: 'rleu' }), output) },
      /^model layer "middle": Unknown activation: rleu\.$/,
    ],
    [
      'a setting of an inner layer is wrong',
      {
        topology: sequential(
          flatten,
          ['Reshape', { target_shape: [28, 28] }],
          [
            'Bidirectional',
            {
              name: 'b',
              layer: { class_name: 'LSTM', config: { units: 2, implementation: 2, bias_constraint: 'nope' } },
            },
          ],
          output,
        ),
      },
      /^model layer "b": Unknown constraint: nope\.$/,
    ],
    [
      'a dropout mask would repeat',
      { topology: sequential(flatten, ['Dropout', { name: 'd', rate: 0.5, seed: 3 }], output) },
      /"d".*mask/,
    ],
    [
      'the input does not fit the features',
      { topology: sequential(['Flatten', { name: 'f', batch_input_shape: [null, 8, 8, 1] }], output) },
      /"f_input" takes \[8,8,1\].*\[28,28,1\] or \[784\]/,
    ],
    [
      'the units do not fit the classes',
      { topology: sequential(flatten, dense({ name: 'out', units: 9, activation: 'softmax' })) },
      /"out": gives \[9\].*\[10\]/,
    ],
    [
      'the last activation does not fit the loss',
      { topology: sequential(flatten, dense({ name: 'out', units: 10 })) },
      /"out".*softmax.*linear/,
    ],
    [
      'a binary loss has ten classes',
      { topology: sequential(flatten, output), training: { loss: 'binaryCrossentropy' } },
      /"out".*2 classes.*10/,
    ],
    [
      'accuracy is asked of a number',
      {
        topology: sequential(dense({ ...from2, units: 1 })),
        features: number,
        training: { loss: 'meanSquaredError' },
      },
      /accuracy/,
    ],
    [
      'crossentropy is asked of a number',
      { topology: sequential(dense({ ...from2, units: 1 })), features: number, training: { metrics: [] } },
      /label is a number/,
    ],
    [
      'two classes meet one softmax unit',
      {
        topology: sequential(dense({ ...from2, name: 'out', units: 1, activation: 'softmax' })),
        features: two,
      },
      /"out": gives \[1\].*\[2\]/,
    ],
  ];

  test.each(cases)('%s', async (_, given, message) => {
    const refusal = await buildModel(planOf(given)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(TributaryError);
    expect(refusal).toMatchObject({ code: 'plan-invalid', message: expect.stringMatching(message) });
  });
});

test.each([
  ['[height, width, channels]', sequential(['Flatten', image], dense({ units: 10, activation: 'softmax' }))],
  ['[values]', sequential(dense({ batch_input_shape: [null, 784], units: 10, activation: 'softmax' }))],
])('images feed models that take %s', async (_, topology) => {
  const model = await buildModel(planOf({ topology, features: DIGITS }));
  expect(model.countParams()).toBe(7850);
  model.dispose();
});
