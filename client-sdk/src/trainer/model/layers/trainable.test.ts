/** Every layer class of the table trains on wasm: the gradients of all weights, those before it included. */
import '@tensorflow/tfjs-backend-cpu';
import type { Tensor } from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, test } from 'vitest';
import { loadEngine } from '../../engine/engine.ts';
import type { Engine } from '../../engine/port.ts';
import { sequential } from '../../test-plans.ts';
import { seededRandom } from '../../training/random.ts';
import { prepareTopology } from '../topology.ts';
import type { Topology } from '../topology-tree.ts';
import { REFUSED_LAYERS, TRAINABLE_LAYERS } from './trainable.ts';

const image = [6, 6, 3];
const steps = [6, 4];
const row = [5];
const ids = [6];
const clip = [3, 5, 5, 2];
const inner = (class_name: string, config: object = { units: 3 }) => ({ class_name, config });

/** Input shape, settings. Classes that appear only inside others are in `inside`. */
const cases: [string, number[], object][] = [
  ['Activation', row, { activation: 'swish' }],
  ['AlphaDropout', row, { rate: 0.3 }],
  ['AveragePooling1D', steps, { pool_size: 2 }],
  ['AveragePooling2D', image, {}],
  ['BatchNormalization', image, {}],
  ['Bidirectional', steps, { layer: inner('LSTM'), merge_mode: 'concat' }],
  ['Conv1D', steps, { filters: 3, kernel_size: 3, padding: 'same' }],
  ['Conv2D', image, { filters: 9, kernel_size: 3, strides: 2, padding: 'same' }],
  ['Conv2D', image, { filters: 4, kernel_size: 1, data_format: 'channels_first' }],
  ['Conv2DTranspose', image, { filters: 4, kernel_size: 3, strides: 2, padding: 'same' }],
  ['ConvLSTM2D', clip, { filters: 2, kernel_size: 3 }],
  [
    'Cropping2D',
    image,
    {
      cropping: [
        [1, 1],
        [0, 1],
      ],
    },
  ],
  ['Dense', steps, { units: 3, activation: 'gelu' }],
  ['DepthwiseConv2D', image, { kernel_size: 3, depth_multiplier: 2 }],
  ['Dropout', row, { rate: 0.3 }],
  ['ELU', row, {}],
  ['Embedding', ids, { input_dim: 10, output_dim: 4, mask_zero: true }],
  ['Flatten', image, {}],
  ['GaussianDropout', row, { rate: 0.3 }],
  ['GaussianNoise', row, { stddev: 0.1 }],
  ['GlobalAveragePooling1D', steps, {}],
  ['GlobalAveragePooling2D', image, {}],
  ['GlobalMaxPooling1D', steps, {}],
  ['GlobalMaxPooling2D', image, {}],
  ['GRU', steps, { units: 3 }],
  ['LayerNormalization', steps, {}],
  ['LeakyReLU', row, {}],
  ['LSTM', steps, { units: 3, return_sequences: true, dropout: 0.3, recurrent_dropout: 0.3 }],
  ['MaxPooling1D', steps, { pool_size: 2 }],
  ['MaxPooling2D', image, { pool_size: 3, strides: 2, padding: 'same' }],
  ['Permute', steps, { dims: [2, 1] }],
  ['PositionalEmbedding', ids, { input_dim: 10, output_dim: 4, input_length: 6, mask_zero: true }],
  ['PReLU', row, {}],
  ['ReLU', row, { max_value: 6 }],
  ['RepeatVector', row, { n: 3 }],
  ['Rescaling', image, { scale: 0.5, offset: 1 }],
  ['Reshape', image, { target_shape: [36, 3] }],
  ['RNN', steps, { cell: inner('StackedRNNCells', { cells: [inner('LSTMCell'), inner('GRUCell')] }) }],
  ['RNN', steps, { cell: inner('SimpleRNNCell') }],
  ['SeparableConv2D', image, { filters: 4, kernel_size: 3 }],
  ['SimpleRNN', steps, { units: 3 }],
  ['Softmax', row, {}],
  ['SpatialDropout1D', steps, { rate: 0.3 }],
  ['TimeDistributed', steps, { layer: inner('Dense') }],
  ['TransformerEncoder', steps, { num_heads: 2, ff_dim: 5 }],
  [
    'ZeroPadding2D',
    image,
    {
      padding: [
        [1, 1],
        [0, 2],
      ],
    },
  ],
];
/** Two dense layers meet in it. */
const merging = ['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'];
const inside = [
  ...['ConvLSTM2DCell', 'GRUCell', 'LSTMCell', 'SimpleRNNCell', 'StackedRNNCells'],
  ...['Sequential', 'Functional', 'Model', 'InputLayer'],
];
/** Masking comes first and has nothing to train before it; the cpu backend has UpSampling2D wrong for batches. */
const special = ['Masking', 'Moments', 'UpSampling2D'];

/** A trained layer before the one in question shows whether gradients pass through it. */
function topologyOf(className: string, shape: number[], config: object): Topology {
  const given = { batch_input_shape: [null, ...shape] };
  if (shape === ids) return sequential([className, { ...given, ...config }]) as Topology;
  return sequential(['Dense', { ...given, units: shape.at(-1) }], [className, config]) as Topology;
}

function mergeOf(className: string): Topology {
  const layer = (class_name: string, name: string, config: object, ...from: string[]) => ({
    class_name,
    name,
    config: { name, ...config },
    inbound_nodes: from.length > 0 ? [from.map((source) => [source, 0, 0, {}])] : [],
  });
  const layers = [
    layer('InputLayer', 'in', { batch_input_shape: [null, 5], dtype: 'float32', sparse: false }),
    layer('Dense', 'a', { units: 4 }, 'in'),
    layer('Dense', 'b', { units: 4, activation: 'tanh' }, 'in'),
    layer(className, 'out', className === 'Dot' ? { axes: -1 } : {}, 'a', 'b'),
  ];
  const config = { name: 'm', layers, input_layers: [['in', 0, 0]], output_layers: [['out', 0, 0]] };
  return { class_name: 'Model', config } as Topology;
}

async function gradientsOn(backend: string, { tf, layers }: Engine, topology: Topology, shape: number[]) {
  await tf.setBackend(backend);
  const original = Math.random;
  const model = await layers.models.modelFromJSON(structuredClone(topology) as never);
  Math.random = seededRandom(Uint8Array.of(3, 3, 3, 3)).next;
  try {
    return tf.tidy(() => {
      const size = shape.reduce((product, length) => product * length, 3);
      const value =
        shape === ids ? (at: number) => (at * 7) % 10 : (at: number) => Math.sin(at * 1.3 + at * at);
      const rows = tf.tensor(
        Float32Array.from({ length: size }, (_, at) => value(at)),
        [3, ...shape],
      );
      const loss = () => {
        const y = model.apply(rows, { training: true }) as Tensor;
        const weights = Float32Array.from({ length: y.size }, (_, at) => Math.sin(1 + 3 * at));
        return tf.sum(tf.mul(y, tf.tensor(weights, y.shape)));
      };
      const { grads } = tf.variableGrads(loss as never, model.trainableWeights.map((w) => w.read()) as never);
      return model.trainableWeights.map(({ name }) => [...grads[name]!.dataSync()]);
    });
  } finally {
    Math.random = original;
    model.dispose();
    await tf.setBackend('wasm');
  }
}

async function expectTrains(topology: Topology, shape: number[]): Promise<void> {
  const engine = await loadEngine();
  const prepared = await prepareTopology(topology, 5);
  const ours = await gradientsOn('wasm', engine, prepared, shape);
  const reference = await gradientsOn('cpu', engine, prepared, shape);
  expect(ours.length).toBeGreaterThan(0);
  for (const [index, want] of reference.entries()) {
    const scale = Math.max(1, ...want.map(Math.abs));
    for (const [at, value] of want.entries())
      expect(Math.abs(ours[index]![at]! - value) / scale).toBeLessThan(1e-5);
  }
}

describe('trains, with the gradients of the cpu backend:', () => {
  afterAll(async () => (await loadEngine()).tf.setBackend('wasm'));
  test.each(cases)('%s', (className, shape, config) =>
    expectTrains(topologyOf(className, shape, config), shape),
  );
  test.each(merging)('%s', (className) => expectTrains(mergeOf(className), row));
});

test('UpSampling2D gives each value the gradients of its copies', async () => {
  const engine = await loadEngine();
  const prepared = await prepareTopology(topologyOf('UpSampling2D', [2, 2, 1], { size: [2, 2] }), 5);
  const [kernel, bias] = await gradientsOn('wasm', engine, prepared, [2, 2, 1]);
  const x = Float32Array.from({ length: 12 }, (_, at) => Math.sin(at * 1.3 + at * at));
  let [slope, sum] = [0, 0];
  for (let at = 0; at < 48; at += 1) {
    const [batch, up, aside] = [Math.floor(at / 16), Math.floor((at % 16) / 8), Math.floor((at % 4) / 2)];
    slope += x[batch * 4 + up * 2 + aside]! * Math.sin(1 + 3 * at);
    sum += Math.sin(1 + 3 * at);
  }
  expect(kernel![0]).toBeCloseTo(slope, 4);
  expect(bias![0]).toBeCloseTo(sum, 4);
});

test('the table and these tests name the same classes', () => {
  const tried = new Set([...cases.map(([name]) => name), ...merging, ...inside, ...special]);
  expect([...tried].sort()).toEqual([...TRAINABLE_LAYERS].sort());
});

describe('is refused, with its name:', () => {
  const refusals: [string, number[], object, RegExp][] = [
    ...Object.keys(REFUSED_LAYERS).map((name): [string, number[], object, RegExp] => [
      name,
      row,
      {},
      /"it": .+/,
    ]),
    ['Warp', row, {}, /"it": there is no layer class Warp that is known to train/],
    [
      'Conv2D',
      image,
      { filters: 1, kernel_size: 2, dilation_rate: 2 },
      /"it": dilation_rate 2 has no gradient/,
    ],
    ['Conv1D', steps, { filters: 1, kernel_size: 2, dilationRate: [3] }, /"it": dilation_rate \[3\]/],
    ['Conv1D', steps, { filters: 1, kernel_size: 2, padding: 'causal' }, /"it": padding causal/],
    ['LSTM', steps, { units: 1, stateful: true }, /"it": stateful/],
    ['GRU', steps, { units: 1, reset_after: true }, /"it": reset_after/],
    ['Masking', steps, { mask_value: 0 }, /"it": Masking/],
    [
      'SeparableConv2D',
      image,
      { filters: 1, kernel_size: 2, data_format: 'channels_first' },
      /"it": channels/,
    ],
    ['Reshape', row, { target_shape: [7] }, /size/],
  ];
  test.each(refusals)('%s %j %j', async (className, shape, config, message) => {
    const refusal = prepareTopology(topologyOf(className, shape, { name: 'it', ...config }), 5);
    await expect(refusal).rejects.toMatchObject({
      code: 'plan-invalid',
      message: expect.stringMatching(message),
    });
  });

  test('whatever tfjs finds out only while it trains', async () => {
    const topology = sequential(
      ['Dense', { units: 4, batch_input_shape: [null, 5] }],
      // Ids cannot come out of a layer that trains.
      ['Embedding', { name: 'it', input_dim: 3, output_dim: 2 }],
    ) as Topology;
    await expect(prepareTopology(topology, 5)).rejects.toMatchObject({
      code: 'plan-invalid',
      message: expect.stringMatching(/"it" or one before it does not train/),
    });
  });
});

test('Masking first, before a recurrent layer, trains', async () => {
  const masked = sequential(
    ['Masking', { batch_input_shape: [null, 6, 4] }],
    ['LSTM', { units: 3 }],
  ) as Topology;
  await expectTrains(masked, steps);
});
