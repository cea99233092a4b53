import '@tensorflow/tfjs-backend-cpu';
import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { loadEngine } from '../../engine/engine.ts';
import type { Engine } from '../../engine/port.ts';
import { input } from '../../kernels/test-gradients.ts';
import { sequential } from '../../test-plans.ts';
import { seededRandom } from '../../training/random.ts';
import { prepareTopology } from '../topology.ts';
import type { Topology } from '../topology-tree.ts';
import { namedWeights, readWeights } from '../weights.ts';

const embedding: [string, object] = [
  'PositionalEmbedding',
  { name: 'words', input_dim: 7, output_dim: 4, input_length: 5 },
];
const encoder = (config: object = {}): [string, object] => [
  'TransformerEncoder',
  { name: 'encoder', num_heads: 2, ff_dim: 6, ...config },
];
const first = { batch_input_shape: [null, 5, 4] };
const ids = [
  [1, 2, 3, 0, 0],
  [6, 6, 5, 4, 0],
];

async function build(...layers: [string, object][]): Promise<LayersModel> {
  const engine = await loadEngine();
  const topology = await prepareTopology(sequential(...layers) as Topology, 3);
  return engine.layers.models.modelFromJSON(topology as never);
}

/** Weights far from zeros and ones, or gains and biases would test nothing. */
function disturb(tf: Engine['tf'], model: LayersModel): void {
  model.setWeights(
    model.getWeights().map((weight) => tf.add(weight, tf.tensor(input(weight.shape).values, weight.shape))),
  );
}

async function expectSlopesOfWeights(model: LayersModel, rows: Tensor): Promise<void> {
  const { tf } = await loadEngine();
  disturb(tf, model);
  const loss = (): Tensor => {
    const y = model.apply(rows, { training: true }) as Tensor;
    return tf.sum(
      tf.mul(
        y,
        tf.tensor(
          Float32Array.from({ length: y.size }, (_, at) => Math.sin(1 + 3 * at)),
          y.shape,
        ),
      ),
    );
  };
  const value = () => tf.tidy(() => loss().dataSync()[0]!);
  const { grads } = tf.variableGrads(loss as never);
  for (const weight of model.trainableWeights) {
    const direction = input(weight.shape as number[]);
    const kept = weight.read().clone();
    const at = (by: number) => {
      weight.write(tf.tidy(() => tf.add(kept, tf.mul(tf.tensor(direction.values, kept.shape), by))));
      return value();
    };
    const slope = (at(1 / 128) - at(-1 / 128)) * 64;
    weight.write(kept);
    const gradient = grads[weight.name]!.dataSync();
    const along = direction.values.reduce((sum, by, index) => sum + by * gradient[index]!, 0);
    expect(Math.abs(along - slope), weight.originalName).toBeLessThan(0.01 * Math.max(1, Math.abs(slope)));
  }
}

describe('TransformerEncoder', () => {
  test.each([{}, { activation: 'gelu', norm_first: true }, { activation: 'gelu', num_heads: 1 }])(
    'gradients of all its weights are the slopes of its result: %j',
    async (config) => {
      const { tf } = await loadEngine();
      const model = await build(encoder({ activation: 'gelu', ...first, ...config }));
      expect(model.trainableWeights).toHaveLength(12);
      await expectSlopesOfWeights(model, tf.tensor(input([2, 5, 4]).values, [2, 5, 4]));
      model.dispose();
    },
  );

  test('attends: the order of positions is kept, and each looks at all others', async () => {
    const { tf } = await loadEngine();
    const model = await build(encoder(first));
    disturb(tf, model);
    const run = (values: Float32Array) =>
      tf.tidy(() => [...(model.predict(tf.tensor(values, [1, 5, 4])) as Tensor).dataSync()]);
    const { values } = input([1, 5, 4]);
    const result = run(values);
    const swapped = run(
      Float32Array.from([...values.slice(4, 8), ...values.slice(0, 4), ...values.slice(8)]),
    );
    // Without positions in the input, self-attention commutes with any reordering.
    const reordered = [...result.slice(4, 8), ...result.slice(0, 4), ...result.slice(8)];
    for (const [at, value] of reordered.entries()) expect(swapped[at]).toBeCloseTo(value, 4);
    const changed = values.slice();
    changed[19]! += 1;
    expect(run(changed).slice(0, 4)).not.toEqual(result.slice(0, 4));
    model.dispose();
  });

  test('dropout is drawn from Math.random while training, and off otherwise', async () => {
    const { tf } = await loadEngine();
    const model = await build(encoder({ ...first, dropout: 0.5 }));
    const rows = tf.tensor(input([2, 5, 4]).values, [2, 5, 4]);
    const run = (training: boolean, byte: number) => {
      const original = Math.random;
      Math.random = seededRandom(Uint8Array.of(byte, 1, 1, 1)).next;
      try {
        return tf.tidy(() => [...(model.apply(rows, { training }) as Tensor).dataSync()]);
      } finally {
        Math.random = original;
      }
    };
    expect(run(true, 1)).toEqual(run(true, 1));
    expect(run(true, 1)).not.toEqual(run(true, 2));
    expect(run(false, 1)).toEqual(run(false, 2));
    rows.dispose();
    model.dispose();
  });

  test.each([
    [{ num_heads: 3 }, /"encoder".*\[length, dim\].*num_heads 3, not \[5,4\]/],
    [{ num_heads: 0 }, /num_heads.*whole number from 1, not 0/],
    [{ ff_dim: 2.5 }, /ff_dim.*whole number from 1, not 2.5/],
    [{ dropout: 1 }, /dropout.*below 1/],
    [{ activation: 'tanh' }, /activation.*relu or gelu, not tanh/],
    [{ expand_initializer: 'nonsense' }, /nonsense/],
  ])('refuses %j', async (config, message) => {
    await expect(build(encoder({ ...first, ...config }))).rejects.toMatchObject({
      code: 'plan-invalid',
      message: expect.stringMatching(message),
    });
  });
});

describe('PositionalEmbedding', () => {
  test('adds the vector of the id and the vector of the position, and both train', async () => {
    const { tf } = await loadEngine();
    const model = await build(embedding);
    const [vectors, positions] = model.getWeights().map((weight) => weight.arraySync() as number[][]) as [
      number[][],
      number[][],
    ];
    const result = (model.predict(tf.tensor2d(ids)) as Tensor).arraySync() as number[][][];
    const want = ids.map((row) =>
      row.map((id, position) => vectors[id]!.map((value, unit) => value + positions[position]![unit]!)),
    );
    for (const [at, value] of want.flat(2).entries()) expect(result.flat(2)[at]).toBeCloseTo(value, 6);
    await expectSlopesOfWeights(model, tf.tensor2d(ids));
    model.dispose();
  });

  test('with mask_zero what stands at padding changes nothing elsewhere', async () => {
    const { tf } = await loadEngine();
    for (const masks of [true, false]) {
      const model = await build(['PositionalEmbedding', { ...embedding[1], mask_zero: masks }], encoder());
      const run = () =>
        (tf.tidy(() => (model.predict(tf.tensor2d(ids)) as Tensor).arraySync()) as number[][][])[0]!;
      const before = run();
      const table = model.trainableWeights[0]!;
      const shift = tf.tensor([[1, -2, 3, -4], ...new Array(6).fill([0, 0, 0, 0])]);
      table.write(tf.add(table.read() as Variable, shift));
      const after = run();
      const moved = Math.max(
        ...after
          .slice(0, 3)
          .flatMap((row, at) => row.map((value, unit) => Math.abs(value - before[at]![unit]!))),
      );
      if (masks) expect(moved).toBeLessThan(1e-6);
      else expect(moved).toBeGreaterThan(1e-3);
      if (masks) await expectSlopesOfWeights(model, tf.tensor2d(ids));
      model.dispose();
    }
  });

  test('refuses another number of ids', async () => {
    await expect(
      build(['PositionalEmbedding', { ...embedding[1], batch_input_shape: [null, 6] }]),
    ).rejects.toThrow(/"words" takes \[5\] ids, not \[6\]/);
  });
});

test('in a plan they have stable names, a seed for every kernel, and the same seed gives the same weights', async () => {
  const engine = await loadEngine();
  const topology = sequential(embedding, encoder(), encoder({ name: undefined })) as Topology;
  const prepared = await prepareTopology(topology, 3);
  expect(await prepareTopology(prepared, 4)).toEqual(prepared);
  const text = JSON.stringify(prepared);
  expect(text).not.toMatch(/"seed":null/);
  const seeds = [...text.matchAll(/"seed":(\d+)/g)].map(([, seed]) => seed);
  expect(seeds).toHaveLength(10);
  expect(new Set(seeds).size).toBe(10);
  const weights = async (seed: number) => {
    const model = await engine.layers.models.modelFromJSON((await prepareTopology(topology, seed)) as never);
    const read = readWeights(namedWeights(model));
    model.dispose();
    return read;
  };
  const { tensors, values } = await weights(3);
  expect(tensors.slice(0, 6).map(({ name, shape }) => `${name} ${shape}`)).toEqual([
    'words/embeddings 7,4',
    'words/positions 5,4',
    'encoder/attention_kernel 4,12',
    'encoder/attention_bias 12',
    'encoder/projection_kernel 4,4',
    'encoder/projection_bias 4',
  ]);
  expect(tensors.at(-1)?.name).toBe('transformer_encoder_1/output_norm_beta');
  expect((await weights(3)).values).toEqual(values);
  expect((await weights(4)).values).not.toEqual(values);
});
