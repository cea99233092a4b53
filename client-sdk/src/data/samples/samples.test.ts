import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePlan } from '@tributary/protocol';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Dataset } from '../dataset.ts';
import { loadDataset } from '../load.ts';
import type { SplitManifest } from './deal.ts';
import { loadEmoji } from './emoji.ts';
import { LIBRARY, type LibraryPlan, libraryPath } from './plan-library.ts';
import { readShipped } from './shipped.ts';
import { loadSpeeches } from './speeches.ts';
import { splitEmoji, splitSpeeches, splitWeather } from './split.ts';
import { loadWeather } from './weather.ts';

const out = mkdtempSync(join(tmpdir(), 'tributary-samples-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** The rows of every partner and of the evaluator, as their nodes would read them. */
async function readBack(folder: string, manifest: SplitManifest) {
  const plan = parsePlan(parse(await readFile(join(folder, 'plan.yaml'), 'utf8')));
  const names = [...manifest.partners.map((_, i) => `partner-${i + 1}`), 'evaluator'];
  const sets: Dataset[] = [];
  for (const name of names) {
    const { data } = parse(await readFile(join(folder, name, 'node.yaml'), 'utf8'));
    sets.push(await loadDataset(data, plan.features, join(folder, name)));
  }
  return { plan, partners: sets.slice(0, -1), evaluator: sets.at(-1)! };
}

describe('speeches', () => {
  it('are 1,000 sentences of each era, a fifth of them for testing', async () => {
    const { train, test } = await loadSpeeches();
    const count = (labels: Uint8Array, era: number) => labels.filter((label) => label === era).length;
    expect([train, test].map(({ labels }) => [count(labels, 0), count(labels, 1)])).toEqual([
      ...[
        [800, 800],
        [200, 200],
      ],
    ]);
    const years = [...train.lines, ...test.lines].map((line) => Number(line.slice(0, 4)));
    expect([Math.min(...years), Math.max(...years)]).toEqual([1790, 2021]);
    expect(years.filter((year) => year > 1860 && year < 1946)).toEqual([]);
  });

  it('are dealt to partners, every one once, with a plan that says so', async () => {
    const folder = join(out, 'speeches');
    const options = { partners: 4, out: folder, seed: 7 };
    const manifest = await splitSpeeches({ ...options, partition: { kind: 'dirichlet', alpha: 0.5 } });
    const { plan, partners, evaluator } = await readBack(folder, manifest);
    expect(manifest).toMatchObject({ scheme: 'dirichlet:0.5', classes: ['before 1861', 'after 1945'] });
    expect(plan).toMatchObject({ name: 'embedding-classifier', seed: 7, cohort: { min: 4 } });
    expect(plan.aggregation.weightCap).toBeGreaterThanOrEqual(Math.max(...partners.map(({ rows }) => rows)));
    expect(partners.map(({ rows }) => rows)).toEqual(manifest.partners.map(({ rows }) => rows));
    expect(partners.reduce((sum, { rows }) => sum + rows, 0)).toBe(1600);
    expect(evaluator.rows).toBe(400);
  });
});

describe('weather', () => {
  it('is four years of two cities, the last fifth for testing', async () => {
    const { train, test } = await loadWeather();
    expect([train.lines.length, test.lines.length]).toEqual([2 * 1169, 2 * 292]);
    expect(train.lines[0]).toMatch(/^Seattle,2012-01-01,/);
    expect(test.lines.at(-1)).toMatch(/^New York,2015-12-31,/);
  });

  it('is dealt in stretches of time, the same days of both cities', async () => {
    const folder = join(out, 'weather');
    const manifest = await splitWeather({ partners: 3, out: folder, plan: 'gru-forecaster' });
    expect(manifest).toMatchObject({ scheme: 'time', classes: ['Seattle', 'New York'] });
    const { plan, partners, evaluator } = await readBack(folder, manifest);
    expect(plan.name).toBe('gru-forecaster');
    // A window of ten days whose label is two days later: eleven days of each city begin none.
    expect(partners.map(({ rows }) => rows)).toEqual(manifest.partners.map(({ rows }) => rows - 22));
    expect(evaluator.windows?.groups).toEqual([281, 281]);
    const daysOf = (partner: number, city: string) =>
      readFileSync(join(folder, `partner-${partner}`, 'train.csv'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(city))
        .map((line) => line.split(',')[1]!);
    for (const partner of [1, 2, 3]) expect(daysOf(partner, 'Seattle')).toEqual(daysOf(partner, 'New York'));
    expect(daysOf(1, 'Seattle').at(-1)! < daysOf(2, 'Seattle')[0]!).toBe(true);
  });

  it('is not torn apart by a partition', async () => {
    const shards = splitWeather({
      ...{ partners: 3, out: join(out, 'torn') },
      partition: { kind: 'shards', shards: 2 },
    });
    await expect(shards).rejects.toMatchObject({ code: 'malformed', message: /tear a series apart/ });
  });
});

describe('emoji', () => {
  it('are 72 of each subject, every sixth for testing, at half their size', async () => {
    const { train, test } = await loadEmoji('all-32');
    expect([train.side, train.labels.length, test.labels.length]).toEqual([32, 600, 120]);
    for (let subject = 0; subject < 10; subject += 1)
      expect(test.labels.filter((label) => label === subject)).toHaveLength(12);
    // The background is white; what is drawn on it is not.
    expect([...train.images.subarray(0, 3)]).toEqual([255, 255, 255]);
    expect(new Set(train.images).size).toBeGreaterThan(50);
  });

  it('of a pair keep their size, and are faces (yellow in the middle) and flags', async () => {
    const folder = join(out, 'emoji');
    const manifest = await splitEmoji({ partners: 3, out: folder, plan: 'cnn-64' });
    expect(manifest.classes).toEqual(['faces', 'flags']);
    const { partners, evaluator } = await readBack(folder, manifest);
    expect(partners.map(({ rows, shape }) => [rows, ...shape])).toEqual(Array(3).fill([40, 64, 64, 3]));
    expect([...evaluator.labels]).toEqual([...Array(12).fill(0), ...Array(12).fill(1)]);
    const middle = ((20 * 64 + 32) * 3) as number;
    const [red, , blue] = evaluator.features.subarray(middle, middle + 3);
    expect(red! - blue!).toBeGreaterThan(0.5);
  });
});

describe('a plan of the library', () => {
  it('for other data, or unknown, is refused before anything is written', async () => {
    for (const plan of ['digits-2nn', 'cnn-128', '../../package'])
      await expect(splitSpeeches({ partners: 3, out: join(out, 'never'), plan })).rejects.toMatchObject({
        code: 'not-found',
        remedy: 'Take one of embedding-classifier, transformer-encoder.',
      });
    expect(() => readFileSync(join(out, 'never', 'plan.yaml'))).toThrow('ENOENT');
  });

  it('has its name in its file, and is listed in the README with its size', async () => {
    const readme = await readFile(join(libraryPath('cnn-32'), '../README.md'), 'utf8');
    for (const name of Object.keys(LIBRARY) as LibraryPlan[]) {
      const text = await readFile(libraryPath(name), 'utf8');
      expect(parse(text).name).toBe(name);
      const [size] = text.replaceAll('\n# ', ' ').match(/[\d,]+(?= parameters)/)!;
      expect(readme).toMatch(new RegExp(`\\[${name}\\]\\(${name}\\.yaml\\).*\\| ${size} \\|`));
    }
  });
});

it('a data set that was changed is refused', async () => {
  await expect(readShipped('weather.csv', '0'.repeat(64))).rejects.toThrow(/weather.csv was changed/);
  await expect(readShipped('none.csv', '0'.repeat(64))).rejects.toThrow(/none.csv cannot be read/);
});
