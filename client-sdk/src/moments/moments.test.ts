import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ModelWeights, type Plan, parsePlan } from '@tributary/protocol';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { withTransforms } from '../cli/plan-edit.ts';
import { completePlan } from '../cli/plan-file.ts';
import { planWords } from '../cli/plan-words.ts';
import { cancerPlan } from '../data/cancer-plan.ts';
import type { Dataset } from '../data/dataset.ts';
import { momentsYaml, planYaml } from '../data/templates.ts';
import { momentsLayerOf } from '../trainer/model/moments-checks.ts';
import { buildModel, initialWeights } from '../trainer/model/topology.ts';
import { planOf, sequential } from '../trainer/test-plans.ts';
import { addMoments } from '../trainer/training/moments-pass.ts';
import { momentsPlan } from './plan.ts';
import { type MomentsRun, readMoments } from './read.ts';
import { standardise, transformsFor } from './standardise.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-moments-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cancer = cancerPlan({ partners: 5 });
const column = (name: string, min: number, max: number) => ({
  name,
  transform: { kind: 'minmax', min, max },
});
const tablePlan = (columns: readonly object[], kind = 'table'): Plan =>
  planOf({
    topology: sequential(['Dense', { units: 1, batch_input_shape: [null, columns.length] }]),
    features: {
      ...{ kind, columns, label: { name: 'x', kind: 'number' } },
      ...(kind === 'series' && { window: 2, horizon: 1 }),
    },
    training: { loss: 'meanSquaredError', metrics: [] },
  });

/** The mean over partners that each hold `rows` (after the plan's transforms), without masks and grid. */
async function published(plan: Plan, rows: readonly (readonly number[])[]): Promise<MomentsRun> {
  const base = await initialWeights(plan);
  const features = Float32Array.from(rows.flat());
  const width = rows[0]!.length;
  const dataset: Dataset = { rows: rows.length, shape: [width], features, labels: new Float32Array(0) };
  const values = addMoments(momentsLayerOf(plan)!, base, dataset, Uint32Array.from(rows.keys()));
  const model: ModelWeights = { tensors: base.tensors, values };
  return { plan, model, participants: 4, dropped: 0, clipped: 0 };
}

describe('momentsPlan', () => {
  it('asks for one sum over every column that states a range, and for no label', () => {
    const asked = momentsPlan(
      tablePlan([
        column('a', 0, 10),
        { name: 'b', transform: { kind: 'standardise', mean: 5, std: 2 } },
        { name: 'c', transform: { kind: 'identity' } },
        { name: 'd', transform: { kind: 'onehot', categories: ['x', 'y'] } },
        { name: 'e', transform: { kind: 'identity' }, missing: 3 },
      ]),
      { ranges: { e: [-1, 3] } },
    );
    expect(asked.features).toEqual({
      kind: 'table',
      columns: [column('a', 5, 10), column('b', 5, 13), { ...column('e', 1, 3), missing: 3 }],
      label: { kind: 'features' },
    });
    expect(asked).toMatchObject({
      rounds: 1,
      holdout: 0,
      aggregation: { weights: 'uniform', mode: 'secure' },
    });
    // A partner with `rows` rows within their ranges stays below it.
    expect(asked.aggregation.clip).toBeGreaterThanOrEqual(Math.sqrt(1 + 2 * 3));
  });

  it('starts from weights that change with the question, and are the same for the same one', async () => {
    const weights = async (rows: number) => (await initialWeights(momentsPlan(cancer, { rows }))).values;
    const [first, again, other] = [await weights(100), await weights(100), await weights(101)];
    expect(again).toEqual(first);
    expect(first.filter((value, i) => value === other[i])).toHaveLength(0);
    expect(first.every((value) => Math.abs(value) <= 1e-3)).toBe(true);
  });

  it('survives being written as a file', async () => {
    const asked = momentsPlan(cancer);
    expect(await completePlan(parse(momentsYaml(asked, 'plan.yaml')))).toEqual(await completePlan(asked));
  });

  it('says in plain words that it trains nothing', () => {
    const words = Object.fromEntries(planWords(momentsPlan(cancer)));
    expect(words.asks).toBe('adds up count, sum and sum of squares of 30 columns; trains nothing');
    expect(words.training).toBeUndefined();
  });

  it.each([
    [
      'no column with a range',
      tablePlan([{ name: 'a', transform: { kind: 'identity' } }]),
      {},
      /No column of the plan/,
    ],
    ['an empty range', tablePlan([column('a', 1, 1)]), {}, /column a has an empty range, 1 to 1/],
    ['a strange range', tablePlan([column('a', 0, 1)]), { b: [0, 1] as const }, /no column of numbers "b"/],
    [
      'images',
      planOf({ topology: sequential(['Flatten', { batch_input_shape: [null, 28, 28, 1] }]) }),
      {},
      /kind image/,
    ],
  ])('refuses %s', (_, plan, ranges, words) => {
    expect(() => momentsPlan(plan, { ranges })).toThrow(words);
  });
});

describe('a node refuses a Moments layer that does not add up once', () => {
  const asked = momentsPlan(cancer);
  const { layers } = asked.model.topology.config as { layers: object[] };
  const dense = { class_name: 'Dense', config: { units: 30 } };
  it.each([
    ['rounds', { rounds: 2 }, /rounds 1/],
    ['holdout', { holdout: 0.1 }, /holdout 0/],
    ['weights', { aggregation: { ...asked.aggregation, weights: 'exact' } }, /weights uniform, not exact/],
    [
      'a transform of another kind',
      { features: { ...asked.features, columns: [{ name: 'a', transform: { kind: 'identity' } }] } },
      /columns under minmax, a has identity/,
    ],
    ['label', { features: cancer.features }, /label: \{kind: features\}/],
    [
      'another layer',
      {
        model: { topology: { class_name: 'Sequential', config: { name: 'm', layers: [...layers, dense] } } },
      },
      /Dense cannot stand beside it/,
    ],
  ])('%s', async (_, changes, words) => {
    await expect(buildModel(parsePlan({ ...asked, ...changes }))).rejects.toThrow(words);
  });
});

describe('readMoments', () => {
  it('gives mean and spread in the units of the column', async () => {
    const plan = momentsPlan(tablePlan([column('a', 0, 200), column('b', -1, 1)]), { rows: 10 });
    // a = 100 + 100 u, b = u
    const moments = await readMoments(
      await published(plan, [
        [0.1, -0.2],
        [0.3, 0.2],
        [-0.1, 0.6],
      ]),
    );
    expect(moments.rows).toBe(12);
    const [a, b] = moments.columns;
    expect(a!.mean).toBeCloseTo(110, 4);
    expect(a!.std / (100 * Math.sqrt(0.08 / 3))).toBeCloseTo(1, 6);
    expect(b!.mean).toBeCloseTo(0.2, 6);
    expect(b!.std / Math.sqrt(0.32 / 3)).toBeCloseTo(1, 6);
  });

  it.each([
    ['a constant column', [[0.5], [0.5], [0.5]], 10, /Column a lies around 150 and varies by at most/],
    ['a range far too wide', [[1e-6], [2e-6], [3e-6]], 10, /Column a lies around 100 and varies/],
    ['many times fewer rows than stated', [[0.1], [0.3], [-0.1]], 1e6, /Column a lies around 110/],
  ])('refuses %s', async (_, rows, unit, words) => {
    const plan = momentsPlan(tablePlan([column('a', 0, 200)]), { rows: unit });
    await expect(readMoments(await published(plan, rows))).rejects.toThrow(words);
  });

  it('refuses a run in which somebody was clipped, one of another kind, and other initial weights', async () => {
    const plan = momentsPlan(tablePlan([column('a', 0, 200)]), { rows: 10 });
    const run = await published(plan, [[0.1], [0.3], [-0.1]]);
    await expect(readMoments({ ...run, clipped: 1 })).rejects.toThrow(/1 of 4 partners had sums above/);
    await expect(readMoments({ ...run, plan: cancer })).rejects.toThrow(/adds up no moments/);
    const model = { ...run.model, values: run.model.values.map((value) => value + 0.01) };
    await expect(readMoments({ ...run, model })).rejects.toThrow(/no number of rows/);
  });
});

describe('standardise', () => {
  const moments = { rows: 9, columns: [{ name: 'a', mean: 1.23456789, std: 0.5, error: 1e-6 }] };
  const constants = { kind: 'standardise', mean: 1.234568, std: 0.5 };

  it('replaces the transforms of the columns that were summed, of a series also its label', () => {
    const other = { name: 'c', transform: { kind: 'identity' } };
    const table = standardise(tablePlan([column('a', 0, 1), other]), moments);
    expect(table.features).toMatchObject({ columns: [{ name: 'a', transform: constants }, other] });
    const named = { ...moments, columns: [{ ...moments.columns[0]!, name: 'x' }] };
    const series = standardise(tablePlan([column('x', 0, 1)], 'series'), named);
    expect(series.features).toMatchObject({ label: { name: 'x', mean: 1.234568, std: 0.5 } });
  });

  it('refuses sums that are not those of the plan', () => {
    expect(() => standardise(tablePlan([column('b', 0, 1)]), moments)).toThrow(
      /column a was summed, and the plan has no/,
    );
    expect(() => standardise(tablePlan([column('a', 0, 1), column('b', 0, 1)]), moments)).toThrow(
      /column b has a minmax transform, and was not summed/,
    );
  });

  it('leaves the rest of a plan file as it was, comments included', async () => {
    const path = join(folder, 'plan.yaml');
    const text = planYaml(cancer);
    writeFileSync(path, text);
    const columns = momentsPlan(cancer).features.kind === 'table' ? cancer.features : undefined;
    if (columns?.kind !== 'table') throw new Error('The plan is no longer one of a table.');
    const all = columns.columns.map(({ name }, i) => ({ name, mean: i, std: 1 + i, error: 0 }));
    const found = { rows: 456, columns: all };
    const edited = await withTransforms(path, transformsFor(cancer, found), 'From run r.');
    expect(parsePlan(parse(edited))).toEqual(standardise(cancer, found));
    const comments = (of: string) => of.split('\n').filter((line) => line.includes('#')).length;
    expect(comments(edited)).toBe(comments(text) + 1);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });
});
