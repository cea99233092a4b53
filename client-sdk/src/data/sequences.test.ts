import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Features, TributaryError } from '@tributary/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gather, labelsOf } from '../trainer/training/batches.ts';
import { splitRows } from '../trainer/training/random.ts';
import type { DataSource, Dataset } from './dataset.ts';
import { writeIdx } from './idx.ts';
import { loadDataset } from './load.ts';
import { wordId, wordsOf } from './text.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tributary-sequences-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const source: DataSource = { kind: 'csv', path: 'rows.csv' };
const write = (...lines: string[]) => writeFile(join(root, 'rows.csv'), `${lines.join('\n')}\n`);
const load = (features: Features, from: DataSource = source) => loadDataset(from, features, root);

async function refusal(features: Features, from = source): Promise<string> {
  const error = await load(features, from).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TributaryError);
  expect((error as TributaryError).code).toBe('data-invalid');
  return (error as Error).message;
}

const all = ({ rows }: Dataset) => Uint32Array.from({ length: rows }, (_, row) => row);
const rowsOf = (dataset: Dataset): number[][] => {
  const values = gather(dataset, all(dataset));
  const width = values.length / dataset.rows;
  return Array.from({ length: dataset.rows }, (_, row) => [
    ...values.subarray(row * width, (row + 1) * width),
  ]);
};

type SeriesFeatures = Extract<Features, { kind: 'series' }>;
const series: SeriesFeatures = {
  kind: 'series',
  columns: [{ name: 'a', transform: { kind: 'identity' } }],
  window: 3,
  horizon: 2,
  stride: 1,
  label: { name: 'y', kind: 'number', mean: 0, std: 1 },
};
const counting = (steps: number, first = 0) =>
  Array.from({ length: steps }, (_, step) => `${first + step},${10 * (first + step)}`);

describe('a series', () => {
  it('gives windows of consecutive rows, labelled by what comes `horizon` rows later', async () => {
    await write('a,y', ...counting(7));
    const dataset = await load(series);
    expect([dataset.rows, dataset.shape]).toEqual([3, [3, 1]]);
    expect(rowsOf(dataset)).toEqual([
      [0, 1, 2],
      [1, 2, 3],
      [2, 3, 4],
    ]);
    expect([...dataset.labels]).toEqual([40, 50, 60]);
    // Steps are held once, however many windows they are in.
    expect(dataset.features).toHaveLength(7);
  });

  it('strides, transforms columns, and labels in units of mean and std', async () => {
    await write('y,b,a', ...Array.from({ length: 9 }, (_, i) => `${i},${i % 2 ? 'on' : 'off'},${i}`));
    const columns: SeriesFeatures['columns'] = [
      { name: 'b', transform: { kind: 'onehot', categories: ['on', 'off'], other: false } },
      { name: 'a', transform: { kind: 'minmax', min: 0, max: 8 } },
    ];
    const label = { ...series.label, mean: 4, std: 2 };
    const dataset = await load({ ...series, columns, window: 2, horizon: 1, stride: 3, label });
    expect(dataset.shape).toEqual([2, 3]);
    expect(rowsOf(dataset)).toEqual([
      [0, 1, 0, 1, 0, 0.125],
      [1, 0, 0.375, 0, 1, 0.5],
      [0, 1, 0.75, 1, 0, 0.875],
    ]);
    expect([...dataset.labels]).toEqual([-1, 0.5, 2]);
  });

  it('never crosses from one group to the other, even where their rows alternate', async () => {
    const lines = Array.from({ length: 6 }, (_, i) => [`p,${i},${i}`, `q,${100 + i},${100 + i}`]).flat();
    await write('place,a,y', 'r,7,7', ...lines);
    const dataset = await load({ ...series, group: 'place' });
    expect(rowsOf(dataset)).toEqual([
      [0, 1, 2],
      [1, 2, 3],
      [100, 101, 102],
      [101, 102, 103],
    ]);
    expect([...labelsOf(dataset, Uint32Array.of(3, 0))]).toEqual([105, 4]);
    expect(dataset.windows).toMatchObject({ groups: [0, 2, 2], horizon: 2 });
  });

  const good = counting(4);
  it.each<[string, string[], Partial<SeriesFeatures>, RegExp]>([
    ['too few rows', ['a,y', ...good], {}, /no 5 rows, which a window of 3 and its label 2 later need/],
    [
      'too few of every group',
      ['a,y,g', ...counting(8).map((line, i) => `${line},${i % 4}`)],
      { group: 'g' },
      /no 5 rows of one "g"/,
    ],
    ['no rows', ['a,y'], {}, /no rows behind its header/],
    ['a missing column', ['b,y', ...good], {}, /no column "a"/],
    ['a missing label column', ['a,z', ...good], {}, /no column "y"/],
    ['a missing group column', ['a,y', ...good], { group: 'g' }, /no column "g"/],
    [
      'a group without a name',
      ['a,y,g', '1,1,p', '2,2,'],
      { group: 'g' },
      /row 2, column "g": "" is missing/,
    ],
    ['a hole', ['a,y', ...good, ',5'], {}, /row 5, column "a": "" is missing/],
    ['text', ['a,y', ...good, 'x,5'], {}, /row 5, column "a": "x" is not a finite decimal/],
    ['a label that is missing', ['a,y', ...good, '5,'], {}, /row 5, column "y": "" is not a number/],
    [
      'a label beyond float32',
      ['a,y', '1,1e30'],
      { label: { ...series.label, std: 1e-10 } },
      /row 1, column "y": "1e30" is not a number/,
    ],
    ['a cell too many', ['a,y', '1,2,3'], {}, /line 2 has another number of cells/],
  ])('with %s is refused', async (_, lines, change, message) => {
    await write(...lines);
    expect(await refusal({ ...series, ...change })).toMatch(message);
  });

  it('is not read from other files than CSV', async () => {
    expect(await refusal(series, { kind: 'folder', path: '.' })).toMatch(
      /wants series data, .* folder files/,
    );
  });
});

describe('the hold-out of a series', () => {
  const seed = new Uint8Array(32);

  it.each([
    [1, 0.1, 100],
    [4, 0.2, 60],
    [7, 0.5, 31],
  ])('with horizon %d and share %d of %d rows is what comes last', async (horizon, share, steps) => {
    await write('a,y', ...counting(steps));
    const dataset = await load({ ...series, horizon });
    const { train, holdout } = splitRows(dataset, share, seed);
    expect(holdout).toHaveLength(Math.max(1, Math.floor(dataset.rows * share)));
    expect([...holdout]).toEqual([...all(dataset)].slice(-holdout.length));
    // What is known when the first of them is forecast: rows up to the end of its window.
    const known = 10 * dataset.windows!.starts[holdout[0]!]! + 10 * (3 - 1);
    const labels = labelsOf(dataset, train);
    expect(Math.max(...labels)).toBe(known);
    expect(train).toHaveLength(dataset.rows - holdout.length - (horizon - 1));
  });

  it('is taken from every group in proportion, and from single windows too', async () => {
    const lines = (name: string, steps: number) => counting(steps).map((line) => `${line},${name}`);
    await write(
      'a,y,g',
      ...lines('p', 44),
      ...lines('q', 24),
      ...Array.from('rstuvwxyz0', (n) => lines(n, 5)).flat(),
    );
    const dataset = await load({ ...series, group: 'g' });
    expect(dataset.windows!.groups).toEqual([40, 20, ...Array(10).fill(1)]);
    const { train, holdout } = splitRows(dataset, 0.2, seed);
    expect([...holdout]).toEqual([...Array.from({ length: 8 }, (_, i) => 32 + i), 56, 57, 58, 59, 64, 69]);
    expect(train).toHaveLength(70 - 14 - 2);
    expect([...train].filter((row) => holdout.includes(row))).toEqual([]);
  });

  it('is nothing where the share is 0', async () => {
    await write('a,y', ...counting(9));
    const dataset = await load(series);
    expect(splitRows(dataset, 0, seed)).toEqual({ train: all(dataset), holdout: new Uint32Array(0) });
  });
});

const text: Extract<Features, { kind: 'text' }> = {
  kind: 'text',
  column: 'note',
  length: 4,
  buckets: 1000,
  label: { name: 'ill', kind: 'class', classes: ['no', 'yes'] },
};

describe('a text', () => {
  it('becomes ids of its words, cut or padded with zeros', async () => {
    await write('ill,note', 'yes,"Fever, since: two days now"', 'no,fever', 'no,"!?"', 'yes,FEVER');
    const dataset = await load(text);
    const id = (word: string) => wordId(word, 1000);
    expect([dataset.rows, dataset.shape, [...dataset.labels]]).toEqual([4, [4], [1, 0, 0, 1]]);
    expect(rowsOf(dataset)).toEqual([
      [id('fever'), id('since'), id('two'), id('days')],
      [id('fever'), 0, 0, 0],
      [0, 0, 0, 0],
      [id('fever'), 0, 0, 0],
    ]);
  });

  it('is hashed by FNV-1a: the vectors of draft-eastlake-fnv, in buckets from 1', () => {
    expect([wordId('', 2 ** 32), wordId('a', 2 ** 32), wordId('foobar', 2 ** 32)]).toEqual([
      ...[0x811c9dc5 + 1, 0xe40c292c + 1, 0xbf9cf968 + 1],
    ]);
    expect(wordId('foobar', 1000)).toBe(1 + (0xbf9cf968 % 1000));
    expect(wordId('anything', 1)).toBe(1);
  });

  it.each([
    ['Straße ÉCOLE école', ['straße', 'école', 'école']],
    ['Don’t stop-me 3.14', ['don', 't', 'stop', 'me', '3', '14']],
    ['e\u0301tude ﬁn Ⅳ', ['\u00e9tude', 'fin', 'iv']],
    ['हिन्दी में', ['हिन्दी', 'में']],
    ['日本語。テスト', ['日本語', 'テスト']],
    ['  …  ', []],
  ])('%j is the words %j', (written, words) => {
    expect(wordsOf(written, 10)).toEqual(words);
  });

  it.each<[string, string[], RegExp]>([
    ['an empty cell', ['ill,note', 'yes,a', 'no,'], /row 2, column "note": "" is missing/],
    ['an unknown class', ['ill,note', 'perhaps,a'], /row 1, column "ill": "perhaps" is no class of the plan/],
    ['no such column', ['ill,notes', 'yes,a'], /no column "note"/],
    ['two such columns', ['note,note,ill', 'a,b,yes'], /two columns "note"/],
    ['no label column', ['i,note', 'yes,a'], /no column "ill"/],
    ['no rows', ['ill,note'], /no rows/],
    ['a quote left open', ['ill,note', 'yes,"a'], /quoted cell that never ends/],
  ])('with %s is refused', async (_, lines, message) => {
    await write(...lines);
    expect(await refusal(text)).toMatch(message);
  });

  it('shows nothing of a long text that it refuses', async () => {
    await write('ill,note', `perhaps,"${'secret '.repeat(1000)}"`);
    expect(await refusal(text)).not.toContain('secret');
  });
});

describe('autoencoders', () => {
  it('predict a table’s transformed columns, and need no label', async () => {
    await write('id,x', 'p,1', 'q,3');
    const column = { name: 'x', transform: { kind: 'standardise', mean: 2, std: 1 } } as const;
    const dataset = await load({ kind: 'table', columns: [column], label: { kind: 'features' } });
    expect(dataset.labels).toEqual(Float32Array.of(-1, 1));
    expect(dataset.labels).toBe(dataset.features);
  });

  it('predict images', async () => {
    const values = Uint8Array.of(0, 51, 102, 153, 204, 255, 0, 255);
    await writeFile(join(root, 'images'), writeIdx({ shape: [2, 2, 2], values }));
    await writeFile(join(root, 'labels'), writeIdx({ shape: [2], values: Uint8Array.of(0, 1) }));
    const image = {
      kind: 'image',
      height: 2,
      width: 2,
      channels: 1,
      scale: 1 / 255,
      mean: 0,
      std: 1,
    } as const;
    const dataset = await load(
      { ...image, classes: ['a', 'b'], label: { kind: 'features' } },
      { kind: 'idx', images: 'images', labels: 'labels' },
    );
    expect([...labelsOf(dataset, Uint32Array.of(1))]).toEqual([Math.fround(0.8), 1, 0, 1]);
  });
});
