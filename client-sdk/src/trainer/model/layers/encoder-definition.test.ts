import type { Tensor } from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { loadEngine } from '../../engine/engine.ts';
import { input } from '../../kernels/test-gradients.ts';
import { sequential } from '../../test-plans.ts';
import { prepareTopology } from '../topology.ts';
import type { Topology } from '../topology-tree.ts';
import { namedWeights } from '../weights.ts';

type Rows = number[][];
const times = (a: Rows, b: Rows): Rows =>
  a.map((row) => b[0]!.map((_, unit) => row.reduce((sum, value, at) => sum + value * b[at]![unit]!, 0)));
const dense = (x: Rows, kernel: Rows, bias: number[]) =>
  times(x, kernel).map((row) => row.map((value, unit) => value + bias[unit]!));
const plus = (a: Rows, b: Rows): Rows => a.map((row, at) => row.map((value, unit) => value + b[at]![unit]!));
const mean = (row: number[]) => row.reduce((sum, value) => sum + value, 0) / row.length;

/** PROTOCOL.md 5.9, one row of [length, dim] at a time. `w` reads a weight by name. */
function encode(
  x: Rows,
  heads: number,
  normFirst: boolean,
  padded: boolean[],
  w: <T>(name: string) => T,
): Rows {
  const norm = (name: string, rows: Rows): Rows =>
    rows.map((row) => {
      const variance = mean(row.map((value) => (value - mean(row)) ** 2));
      const [gamma, beta] = [w<number[]>(`${name}_gamma`), w<number[]>(`${name}_beta`)];
      return row.map(
        (value, unit) => ((value - mean(row)) / Math.sqrt(variance + 1e-6)) * gamma[unit]! + beta[unit]!,
      );
    });
  const attend = (rows: Rows): Rows => {
    const dim = rows[0]!.length;
    const width = dim / heads;
    const all = dense(rows, w('attention_kernel'), w('attention_bias'));
    const mixed = rows.map((): number[] => []);
    for (let head = 0; head < heads; head += 1) {
      const part = (which: number) => all.map((row) => row.slice(which * dim + head * width).slice(0, width));
      const [queries, keys, values] = [part(0), part(1), part(2)];
      for (const [at, query] of queries!.entries()) {
        const scores = keys!.map((key, other) =>
          padded[other]
            ? 0
            : Math.exp(mean(query.map((value, unit) => value * key[unit]!)) * Math.sqrt(width)),
        );
        const total = scores.reduce((sum, score) => sum + score, 0);
        mixed[at]!.push(...times([scores.map((score) => score / total)], values!)[0]!);
      }
    }
    return dense(mixed, w('projection_kernel'), w('projection_bias'));
  };
  const feed = (rows: Rows) => {
    const wide = dense(rows, w('expand_kernel'), w('expand_bias')).map((row) =>
      row.map((v) => Math.max(0, v)),
    );
    return dense(wide, w('contract_kernel'), w('contract_bias'));
  };
  if (normFirst) {
    const attended = plus(x, attend(norm('attention_norm', x)));
    return plus(attended, feed(norm('output_norm', attended)));
  }
  const attended = norm('attention_norm', plus(x, attend(x)));
  return norm('output_norm', plus(attended, feed(attended)));
}

test.each([
  [1, false],
  [2, false],
  [3, true],
] as const)(
  'TransformerEncoder is what the protocol says: %i heads, normalised first: %s',
  async (heads, first) => {
    const { layers, tf } = await loadEngine();
    const topology = sequential(
      ['PositionalEmbedding', { name: 'p', input_dim: 5, output_dim: 6, input_length: 4, mask_zero: true }],
      ['TransformerEncoder', { name: 'e', num_heads: heads, ff_dim: 7, norm_first: first }],
    ) as Topology;
    const model = await layers.models.modelFromJSON((await prepareTopology(topology, 1)) as never);
    const values = new Map<string, unknown>();
    for (const { name, variable } of namedWeights(model)) {
      const given = tf.tensor(input(variable.shape as number[]).values, variable.shape as number[]);
      variable.write(given);
      values.set(name, given.arraySync());
      given.dispose();
    }
    const read = <T>(name: string) => values.get(name) as T;
    const ids = [3, 1, 4, 0];
    const rows = ids.map((id, at) =>
      read<Rows>('p/embeddings')[id]!.map((value, unit) => value + read<Rows>('p/positions')[at]![unit]!),
    );
    const want = encode(
      rows,
      heads,
      first,
      ids.map((id) => id === 0),
      <T>(name: string) => read<T>(`e/${name}`),
    );
    const got = (model.predict(tf.tensor2d([ids])) as Tensor).arraySync() as number[][][];
    for (const [at, value] of want.flat().entries()) expect(got[0]!.flat()[at]).toBeCloseTo(value, 4);
    model.dispose();
  },
);
