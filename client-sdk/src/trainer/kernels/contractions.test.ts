import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import { adamStep } from './adam.ts';
import { expectAgreement, expectSlopes, type Input, input } from './test-gradients.ts';

const SIZES: Record<string, number> = { a: 2, b: 3, c: 4, d: 5, e: 1 };
const shapeOf = (term: string) => [...term].map((axis) => SIZES[axis]!);
const sizeOf = (term: string) => shapeOf(term).reduce((product, size) => product * size, 1);

/** By definition: the sum over every assignment of the axes. The cpu backend has 'a,b->' wrong. */
function byDefinition(terms: readonly string[], result: string, inputs: readonly Input[]): number[] {
  const axes = [...new Set([...result, ...terms.join('')])];
  const out = new Array<number>(sizeOf(result)).fill(0);
  const position = (term: string, at: Record<string, number>) =>
    [...term].reduce((offset, axis) => offset * SIZES[axis]! + at[axis]!, 0);
  const visit = (depth: number, at: Record<string, number>): void => {
    const axis = axes[depth];
    if (axis === undefined) {
      const product = terms.reduce(
        (value, term, index) => value * inputs[index]!.values[position(term, at)]!,
        1,
      );
      const to = position(result, at);
      out[to] = out[to]! + product;
    } else for (let index = 0; index < SIZES[axis]!; index += 1) visit(depth + 1, { ...at, [axis]: index });
  };
  visit(0, {});
  return out;
}

/** tfjs has no gradient of Einsum: only its result is compared. */
async function expectEinsum(equation: string): Promise<void> {
  const { tf } = await loadEngine();
  const [left, result] = equation.split('->') as [string, string];
  const terms = left.split(',');
  const inputs = terms.map((term) => input(shapeOf(term)));
  const before = tf.engine().backend.numDataIds();
  const ours = tf.tidy(() => {
    const out = tf.einsum(equation, ...inputs.map(({ shape, values }) => tf.tensor(values, [...shape])));
    return { shape: out.shape, values: [...out.dataSync()] };
  });
  expect(tf.engine().backend.numDataIds(), equation).toBe(before);
  expect(ours.shape, equation).toEqual(shapeOf(result));
  const want = byDefinition(terms, result, inputs);
  for (const [at, value] of want.entries()) expect(ours.values[at], equation).toBeCloseTo(value, 4);
}

test.each([
  'ab->ba',
  'abc->b',
  'ab,bc->ac',
  'abc,acd->abd',
  'abcd,aecd->acbe',
  'ab,ab->',
  'a,b->ba',
  'abc,dc->abd',
  'abe,cb->ac',
])('einsum %s is the sum that defines it', expectEinsum);

test('any einsum of two tensors is the sum that defines it', async () => {
  const axes = fc.shuffledSubarray([...'abcde'], { minLength: 1, maxLength: 4 });
  const equations = fc
    .tuple(axes, axes)
    .chain(([left, right]) =>
      fc
        .shuffledSubarray([...new Set([...left, ...right])])
        .map((result) => `${left.join('')},${right.join('')}->${result.join('')}`),
    );
  await fc.assert(fc.asyncProperty(equations, expectEinsum), { numRuns: 35, seed: 1 });
});

test('einsum refuses what it cannot read', async () => {
  const { tf } = await loadEngine();
  const x = tf.ones([2, 2]);
  for (const [equation, message] of [
    ['ij', /cannot read/],
    ['ii->i', /cannot read/],
    ['i...->i', /cannot read/],
    ['ijk->i', /does not fit/],
    ['ij->k', /no tensor has axis k/],
  ] as const)
    expect(() => tf.einsum(equation, x)).toThrow(message);
  expect(() => tf.einsum('ij,jk->ik', x, tf.ones([3, 2]))).toThrow(/axis j is 2 and 3/);
});

test('gather and its gradient agree with the cpu backend: repeated, missing and single ids', async () => {
  for (const [ids, width] of [
    [[0, 3, 3, 1, 3], 5],
    [[2], 1],
    [[4, 4, 4, 4], 9],
  ] as const)
    await expectAgreement(
      (tf, table) => tf.gather(table, tf.tensor1d([...ids], 'int32')),
      [input([5, width])],
    );
  await expectSlopes((tf, table) => tf.gather(table, tf.tensor1d([0, 2, 2], 'int32')), [input([4, 3])]);
});

test('rows of no segment are dropped', async () => {
  const { tf } = await loadEngine();
  const sums = tf.unsortedSegmentSum(
    tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]),
    tf.tensor1d([1, -1, 7], 'int32') as Tensor1D,
    3,
  );
  expect([...sums.dataSync()]).toEqual([0, 0, 1, 2, 0, 0]);
  sums.dispose();
});

test('sums over any axes agree with the cpu backend', async () => {
  const axes = fc.subarray([0, 1, 2, 3], { minLength: 1 });
  const shape = fc.tuple(...[0, 1, 2, 3].map(() => fc.integer({ min: 1, max: 9 })));
  const sums = fc.asyncProperty(axes, shape, fc.boolean(), (axis, given, keep) =>
    expectAgreement((tf, x) => tf.sum(x, axis, keep), [input(given)], JSON.stringify({ axis, given, keep })),
  );
  await fc.assert(sums, { numRuns: 25, seed: 1 });
  await expectAgreement((tf, x) => tf.sum(x, [-3, -2]), [input([3, 4, 5])]);
});

test('a step of Adam is the one of Kingma and Ba, and writes new tensors', async () => {
  const { tf } = await loadEngine();
  const rates = { beta1: 0.9, beta2: 0.999, size: 0.01, wide: 3, epsilon: 1e-7 };
  const [w, g, m, v] = [input([7]), input([7]), input([7]), input([7], 0)].map(({ values }) => values) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const inputs = { from: tf.tensor(w), gradient: tf.tensor(g), first: tf.tensor(m), second: tf.tensor(v) };
  const outputs = tf.engine().runKernel(adamStep.name, inputs, rates) as unknown as Tensor[];
  const [w2, m2, v2] = outputs.map((tensor) => [...tensor.dataSync()]) as [number[], number[], number[]];
  for (const at of w.keys()) {
    const first = 0.9 * m[at]! + 0.1 * g[at]!;
    const second = 0.999 * v[at]! + 0.001 * g[at]! ** 2;
    expect(m2[at]).toBeCloseTo(first, 6);
    expect(v2[at]).toBeCloseTo(second, 6);
    expect(w2[at]).toBeCloseTo(w[at]! - (0.01 * first) / (3 * Math.sqrt(second) + 1e-7), 6);
  }
  expect([...inputs.from.dataSync()]).toEqual([...w]);
  tf.dispose([...outputs, ...Object.values(inputs)]);
});
