import { createHash } from 'node:crypto';
import { parsePlan, scalarNames, scalarScale } from '@tributary/protocol';
import { seededRandom } from '@tributary/protocol/crypto';
import { nodeCrypto } from '@tributary/protocol/node';
import {
  checkSentinels,
  createAccumulator,
  decodeScalarSum,
  dequantise,
  gridOf,
  layoutOf,
} from '@tributary/protocol/ring';
import { describe, expect, test } from 'vitest';
import type { TrainingResult } from '../trainer/port.ts';
import { maskUpdate } from './mask.ts';

const planWith = (aggregation: object = {}) =>
  parsePlan({
    name: 'digits',
    model: { topology: { class_name: 'Sequential', config: {} } },
    features: { kind: 'image', height: 2, width: 2, channels: 1, classes: ['a', 'b'] },
    training: {
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: 'sparseCategoricalCrossentropy',
      metrics: ['accuracy'],
    },
    aggregation: { clip: 5, weightCap: 1000, ...aggregation },
    cohort: { min: 3 },
    rounds: 1,
  });

const N = 70_000;
const base = () => Float32Array.from({ length: N }, (_, i) => Math.sin(i));
/** Of L2 norm 0.01 * sqrt(N / 2) = 1.87. */
const delta = (i: number): number => 0.01 * Math.cos(3 * i);

const resultWith = (changes: Partial<TrainingResult> = {}): TrainingResult => ({
  values: base().map((value, i) => value + delta(i)),
  samples: 300,
  loss: 0.5,
  holdout: { count: 33, loss: 0.25, metrics: { accuracy: 2 / 3 } },
  ...changes,
});

/** Undoes what one member sent alone: bare vector, its update and its scalars. */
function read(bytes: Uint8Array, aggregation: { coordinateBound?: number } = {}, members = 5) {
  const names = scalarNames(planWith());
  const layout = layoutOf(N, names.length);
  const words = new Uint32Array(bytes.slice().buffer);
  checkSentinels(words, 1);
  const update = new Float32Array(N);
  dequantise(words, gridOf(members, aggregation.coordinateBound ?? 5), layout, 1, update);
  const scalars = names.map((name, slot) => decodeScalarSum(words, layout, slot, 1, scalarScale(name)));
  return { update, scalars: Object.fromEntries(names.map((name, i) => [name, scalars[i]!])) };
}

const bare = (aggregation: object = {}, changes: Partial<TrainingResult> = {}) =>
  read(
    maskUpdate({
      plan: planWith(aggregation),
      base: base(),
      result: resultWith(changes),
      members: 5,
      terms: [],
    }).bytes,
  );

describe('the update', () => {
  test('is w_k - w times w / W, to the grid', () => {
    const { update } = bare();
    for (let i = 0; i < N; i += 997) expect(update[i]).toBeCloseTo(0.3 * delta(i), 6);
  });

  test('is scaled down to the clip, and says so', () => {
    const { update, scalars } = bare({ clip: 1, coordinateBound: 1 });
    expect(scalars.clipped).toBe(1);
    expect(bare().scalars.clipped).toBe(0);
    const read5 = update.map((value) => value / 5);
    expect(Math.sqrt(read5.reduce((sum, value) => sum + value * value, 0)) / 0.3).toBeCloseTo(1, 4);
  });
});

describe('the weight', () => {
  test.each([
    ['exact', 300, 300],
    ['exact', 5000, 1000],
    ['bucketed', 300, 256],
    ['bucketed', 256, 256],
    ['bucketed', 5000, 1000],
    ['bucketed', 1, 1],
    ['uniform', 300, 1],
  ])(
    '%s of %i rows is %i under a cap of 1000; uniform weights have a cap of their own, 1',
    (weights, samples, weight) => {
      const { update, scalars } = bare({ weights }, { samples });
      expect(scalars).toEqual({
        ...{ weight, trainingLoss: 0.5 * weight, clipped: 0, holdoutCount: 33, holdoutLoss: 8.25 },
        'holdout.accuracy': 22,
      });
      const cap = weights === 'uniform' ? 1 : 1000;
      expect(update[100]).toBeCloseTo((weight / cap) * delta(100), 6);
    },
  );

  test('without a hold-out its sums are zero, whatever the trainer calls the mean of nothing', () => {
    const nothing = { count: 0, loss: Number.NaN, metrics: {} };
    expect(bare({}, { holdout: nothing }).scalars).toMatchObject({
      holdoutCount: 0,
      holdoutLoss: 0,
      'holdout.accuracy': 0,
    });
  });
});

describe('masks', () => {
  const random = seededRandom(nodeCrypto, new Uint8Array([1]));
  const terms = Array.from({ length: 3 }, (_, i) => ({
    key: random(32),
    sign: i === 1 ? (-1 as const) : (1 as const),
  }));

  test('are the only difference to the bare vector, and the hash is that of the bytes', () => {
    const job = () => ({ plan: planWith(), base: base(), result: resultWith(), members: 5 });
    const masked = maskUpdate({ ...job(), terms });
    expect(masked.sha256).toBe(createHash('sha256').update(masked.bytes).digest('hex'));
    const sum = createAccumulator(masked.bytes.length / 4);
    sum.add(masked.bytes, 0);
    for (const { key, sign } of terms) sum.addKeystream(nodeCrypto.keystream(key), sign === 1 ? -1 : 1);
    expect(Buffer.from(sum.bytes).equals(maskUpdate({ ...job(), terms: [] }).bytes)).toBe(true);
  });

  test('leave nothing to see: bytes are uniform, sentinels and zeros included', () => {
    const { bytes } = maskUpdate({
      ...{ plan: planWith(), base: base(), members: 5, terms },
      result: resultWith({ values: base() }),
    });
    const counts = new Float64Array(256);
    for (const byte of bytes) counts[byte]!++;
    const expected = bytes.length / 256;
    const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    // 255 degrees of freedom: mean 255, standard deviation 22.6.
    expect(chiSquare).toBeLessThan(255 + 5 * 22.6);
  });
});

describe('what a trainer may not return', () => {
  const mask = (changes: Partial<TrainingResult>) => () =>
    maskUpdate({ plan: planWith(), base: base(), result: resultWith(changes), members: 5, terms: [] });
  test.each([
    ['too few parameters', { values: new Float32Array(3) }, 'training-failed'],
    ['a parameter that is NaN', { values: base().fill(Number.NaN, 7, 8) }, 'not-finite'],
    ['an infinite parameter', { values: base().fill(Infinity, 7, 8) }, 'not-finite'],
    ['an infinite loss', { loss: Infinity }, 'not-finite'],
    ['no rows', { samples: 0 }, 'data-invalid'],
    ['half a row', { samples: 1.5 }, 'data-invalid'],
    ['a negative number of rows', { samples: -5 }, 'data-invalid'],
    ['a metric that is missing', { holdout: { count: 3, loss: 1, metrics: {} } }, 'not-finite'],
    ['a loss beyond its slot', { loss: 1e9 }, 'overflow'],
  ])('%s', (_, changes, code) => {
    expect(mask(changes)).toThrow(expect.objectContaining({ code }));
  });
});
