import { describe, expect, it } from 'vitest';
import { nodeCrypto } from './crypto/node.ts';
import { targetOf } from './features.ts';
import { parsePlan, planHash } from './plan.ts';

const column = { name: 'x', transform: { kind: 'identity' } };
const image = { kind: 'image', height: 2, width: 2, channels: 1, classes: ['a', 'b'] };
const table = { kind: 'table', columns: [column], label: { name: 'y', kind: 'number' } };
const series = {
  kind: 'series',
  columns: [column],
  window: 24,
  horizon: 1,
  label: { name: 'y', kind: 'number' },
};
const text = {
  kind: 'text',
  column: 'review',
  length: 50,
  buckets: 1000,
  label: { name: 'y', kind: 'class', classes: ['bad', 'good'] },
};

const parse = (features: unknown) =>
  parsePlan({
    name: 'test',
    model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
    features,
    training: { optimizer: { name: 'sgd', learningRate: 0.1 }, loss: 'meanSquaredError' },
    aggregation: { clip: 1 },
    cohort: { min: 3 },
    rounds: 1,
  });

it('plans of before these kinds keep their hashes', () => {
  expect(planHash(nodeCrypto, parse(image))).toBe(
    '6dc0a08c7a7648eabced83f4e5df4bab4a45c1a3f65d3ffcc303e410a863884d',
  );
  expect(planHash(nodeCrypto, parse(table))).toBe(
    'e2488cd4633e2b2774df4638491d56f0bd3ccfce5b1ee79a088e41e6ae93175e',
  );
});

it('a number of a table may be scaled, and nothing is filled in where it is not', () => {
  for (const scale of [{}, { mean: -3 }, { std: 0.5 }, { mean: 290, std: 27 }]) {
    const features = { ...table, label: { ...table.label, ...scale } };
    expect(parse(features).features).toEqual(features);
  }
});

it('a series takes every row and leaves the label as it is, unless the plan says otherwise', () => {
  expect(parse(series).features).toEqual({
    ...series,
    stride: 1,
    label: { ...series.label, mean: 0, std: 1 },
  });
});

it('what is predicted: classes, a number, or the features themselves', () => {
  const label = { kind: 'features' };
  const targets = [image, { ...image, label }, table, { ...table, label }, series, text];
  expect(targets.map((features) => targetOf(parse(features).features).kind)).toEqual([
    ...['class', 'features', 'number', 'features', 'number', 'class'],
  ]);
});

describe('features are refused, naming field, rule and value, with', () => {
  it.each<[string, unknown, RegExp]>([
    [
      'an unknown kind',
      { ...series, kind: 'serie' },
      /features\.kind must be one of image, table, series, text, got "serie"/,
    ],
    ['no kind', {}, /features\.kind must be one of .*, got nothing/],
    ['a misspelt field', { ...series, windw: 3 }, /features has unknown field "windw"/],
    ['an empty window', { ...series, window: 0 }, /features\.window must be >= 1, got 0/],
    [
      'a window beyond the limit',
      { ...series, window: 10_001 },
      /features\.window must be <= 10000, got 10001/,
    ],
    ['a horizon that is known already', { ...series, horizon: 0 }, /features\.horizon must be >= 1, got 0/],
    ['no stride', { ...series, stride: 0 }, /features\.stride must be >= 1/],
    ['a class to forecast', { ...series, label: text.label }, /features\.label has unknown field "classes"/],
    [
      'labels of no spread',
      { ...series, label: { ...series.label, std: 0 } },
      /features\.label\.std must be > 0, got 0/,
    ],
    [
      'a number of no spread',
      { ...table, label: { ...table.label, mean: 1, std: 0 } },
      /features\.label\.std must be > 0, got 0/,
    ],
    [
      'a mean of classes',
      { ...table, label: { ...text.label, mean: 1 } },
      /features\.label has unknown field "mean"/,
    ],
    ['a series twice', { ...series, columns: [column, column] }, /features\.columns names a column twice/],
    [
      'the label as the group',
      { ...series, group: 'y' },
      /features\.group and features\.label are both column "y"/,
    ],
    ['texts of no words', { ...text, length: 0 }, /features\.length must be >= 1/],
    ['no buckets', { ...text, buckets: 0 }, /features\.buckets must be >= 1/],
    ['too many buckets', { ...text, buckets: 1e7 }, /features\.buckets must be <= 1000000, got 10000000/],
    [
      'one class of text',
      { ...text, label: { ...text.label, classes: ['a'] } },
      /features\.label\.classes must not have fewer/,
    ],
    ['a number of text', { ...text, label: { name: 'y', kind: 'number' } }, /features\.label/],
    [
      'a name for features',
      { ...table, label: { kind: 'features', name: 'y' } },
      /features\.label has unknown field "name"/,
    ],
    [
      'an unknown label',
      { ...table, label: { kind: 'feature' } },
      /label\.kind must be one of class, number, features, got "feature"/,
    ],
    [
      'a column transformed by nothing',
      { ...table, columns: [column, { name: 'z', transform: { kind: 'std' } }] },
      /columns\.1\.transform\.kind must be one of identity, .*got "std"/,
    ],
    [
      'a column of no spread',
      { ...table, columns: [{ name: 'z', transform: { kind: 'standardise', mean: 0, std: 0 } }] },
      /columns\.0\.transform\.std must be > 0, got 0/,
    ],
  ])('%s', (_, features, message) => {
    expect(() => parse(features)).toThrow(message);
  });
});
