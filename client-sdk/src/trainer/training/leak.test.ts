import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import { emscriptenOf } from '../kernels/train-wasm.ts';
import { createLocalModel } from '../model/local-model.ts';
import { initialWeights, prepareTopology } from '../model/topology.ts';
import type { Topology } from '../model/topology-tree.ts';
import { planOf, sequential, tableFeatures } from '../test-plans.ts';
import { createTapedStep } from './step.ts';

const adam = { name: 'adam', learningRate: 0.01 };
const out: [string, object] = ['Dense', { units: 3, activation: 'softmax' }];
const image = { kind: 'image', height: 6, width: 6, channels: 1, classes: ['a', 'b', 'c'] };
const table = (columns: number) => tableFeatures(columns, { kind: 'class', classes: ['a', 'b', 'c'] });
const series = (width: number): [string, object] => [
  'Reshape',
  { target_shape: [2, width], batch_input_shape: [null, 2 * width] },
];

const nets: [string, object, ReturnType<typeof sequential>][] = [
  [
    'convolutional net',
    image,
    sequential(
      [
        'Conv2D',
        {
          filters: 3,
          kernel_size: 3,
          padding: 'same',
          activation: 'relu',
          batch_input_shape: [null, 6, 6, 1],
        },
      ],
      ['BatchNormalization', {}],
      ['MaxPooling2D', { pool_size: 2 }],
      ['DepthwiseConv2D', { kernel_size: 2, padding: 'same' }],
      ['Flatten', {}],
      ['Dropout', { rate: 0.2 }],
      out,
    ),
  ],
  ['LSTM', table(4), sequential(series(2), ['LSTM', { units: 3, dropout: 0.2 }], out)],
  [
    'Transformer',
    table(4),
    sequential(
      ['PositionalEmbedding', { input_dim: 5, output_dim: 4, input_length: 4, mask_zero: true }],
      ['TransformerEncoder', { num_heads: 2, ff_dim: 6, dropout: 0.2 }],
      ['GlobalAveragePooling1D', {}],
      out,
    ),
  ],
];

test.each(nets)(
  '500 steps of a %s leave no tensor and no byte of wasm memory behind',
  async (_, features, net) => {
    const engine = await loadEngine();
    const { tf } = engine;
    const topology = await prepareTopology(net as Topology, 1);
    const plan = planOf({ features, topology, training: { optimizer: adam } });
    const model = await createLocalModel(engine, plan);
    model.load(await initialWeights(plan));
    const step = createTapedStep(engine, model, plan.training);
    const labels = Float32Array.from({ length: 6 }, (_, at) => at % 3);
    const width = model.inputShape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length: 6 * width }, (_, at) => (at * at) % 5);
    const memory = () => ({
      tensors: tf.memory().numTensors,
      data: tf.engine().backend.numDataIds(),
      heap: emscriptenOf(tf.backend() as BackendWasm).asm.memory.buffer.byteLength,
    });
    const first = step.train(values, labels);
    for (let warm = 0; warm < 20; warm += 1) step.train(values, labels);
    const before = memory();
    let last = first;
    for (let count = 0; count < 480; count += 1) last = step.train(values, labels);
    expect(memory()).toEqual(before);
    expect(last).toBeLessThan(first);
    step.end();
    model.dispose();
  },
);
