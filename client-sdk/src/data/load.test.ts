import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Features, TributaryError } from '@tributary/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSource } from './dataset.ts';
import { readIdx, writeIdx } from './idx.ts';
import { loadDataset } from './load.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tributary-data-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const image: Features = {
  kind: 'image',
  height: 2,
  width: 3,
  channels: 1,
  scale: 1 / 255,
  mean: 0.5,
  std: 0.5,
  classes: ['a', 'b'],
};

async function refusal(source: DataSource, features: Features): Promise<string> {
  const error = await loadDataset(source, features, root).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TributaryError);
  expect((error as TributaryError).code).toBe('data-invalid');
  return (error as Error).message;
}

describe('IDX files', () => {
  const source: DataSource = { kind: 'idx', images: 'images', labels: 'labels' };
  async function write(images: Uint8Array, labels: Uint8Array) {
    await writeFile(join(root, 'images'), images);
    await writeFile(join(root, 'labels'), labels);
  }
  const pixels = Uint8Array.from({ length: 12 }, (_, i) => i * 20);
  const images = writeIdx({ shape: [2, 2, 3], values: pixels });
  const labels = writeIdx({ shape: [2], values: Uint8Array.of(1, 0) });

  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }), (shape) => {
        const values = Uint8Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i * 7);
        expect(readIdx(writeIdx({ shape, values }), 'x')).toEqual({ shape, values });
      }),
    );
    expect([...images.subarray(0, 16)]).toEqual([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3]);
  });

  it('become rows with the transform of the plan', async () => {
    await write(images, labels);
    const data = await loadDataset(source, image, root);
    expect([data.rows, data.shape, [...data.labels]]).toEqual([2, [2, 3, 1], [1, 0]]);
    expect(data.features).toEqual(Float32Array.from(pixels, (byte) => (byte / 255 - 0.5) / 0.5));
  });

  it('hold colour in a fourth dimension', async () => {
    await write(
      writeIdx({ shape: [1, 2, 2, 3], values: pixels }),
      writeIdx({ shape: [1], values: Uint8Array.of(0) }),
    );
    const data = await loadDataset(source, { ...image, width: 2, channels: 3 }, root);
    expect([data.rows, data.shape]).toEqual([1, [2, 2, 3]]);
  });

  const gzip = Uint8Array.of(0x1f, 0x8b, 8, 0);
  const patched = (at: number, byte: number) => images.map((b, i) => (i === at ? byte : b));
  it.each<[string, Uint8Array, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), labels, /does not begin with two zero bytes/],
    ['a gzip file', gzip, labels, /unpack it first/],
    ['floats', patched(2, 13), labels, /type 13/],
    ['no dimensions', patched(3, 0), labels, /0 dimensions/],
    ['255 dimensions', patched(3, 255), labels, /255 dimensions/],
    ['half a header', images.subarray(0, 9), labels, /ends within its header/],
    ['a row too few', images.subarray(0, 27), labels, /needs 12 values and holds 11/],
    ['a byte too many', Uint8Array.of(...images, 0), labels, /needs 12 values and holds 13/],
    ['a size of 2^96', patched(4, 255).fill(255, 4, 16), labels, /needs \d\.\d+e\+28 values/],
    ['images of another size', writeIdx({ shape: [2, 3, 2], values: pixels }), labels, /images of \[3,2,1\]/],
    ['labels of two dimensions', images, images, /one label per row/],
    [
      'more labels than rows',
      images,
      writeIdx({ shape: [3], values: new Uint8Array(3) }),
      /has 2 rows, .* 3/,
    ],
    ['an unknown label', images, writeIdx({ shape: [2], values: Uint8Array.of(0, 2) }), /row 2 has label 2/],
    [
      'no rows',
      writeIdx({ shape: [0, 2, 3], values: gzip.subarray(4) }),
      writeIdx({ shape: [0], values: gzip.subarray(4) }),
      /no rows/,
    ],
  ])('with %s are refused', async (_, i, l, message) => {
    await write(i, l);
    expect(await refusal(source, image)).toMatch(message);
  });

  it('that do not exist, or are folders, are named', async () => {
    await mkdir(join(root, 'folder'));
    expect(await refusal({ ...source, images: 'none' }, image)).toMatch(/none does not exist/);
    expect(await refusal({ ...source, images: 'folder' }, image)).toMatch(/folder is a folder/);
  });
});

describe('CSV files', () => {
  const table: Features = {
    kind: 'table',
    columns: [
      { name: 'age', transform: { kind: 'standardise', mean: 50, std: 10 } },
      { name: 'dose', transform: { kind: 'minmax', min: 10, max: 20 }, missing: 15 },
      { name: 'count', transform: { kind: 'log1p' } },
      { name: 'sex', transform: { kind: 'onehot', categories: ['f', 'm'], other: true }, missing: 'f' },
      { name: 'site', transform: { kind: 'onehot', categories: ['x', 'y'], other: false } },
      { name: 'raw', transform: { kind: 'identity' } },
    ],
    label: { name: 'ill', kind: 'class', classes: ['no', 'yes'] },
  };
  const header = 'id,age,dose,count,sex,site,raw,ill';
  const good = 'patient-7,60,20,0,m,y,-1.5e3,yes';
  const source: DataSource = { kind: 'csv', path: 'table.csv' };
  const write = (...lines: string[]) => writeFile(join(root, 'table.csv'), `${lines.join('\n')}\n`);

  it('give the declared columns through their transforms, labels by name', async () => {
    await write(
      `\ufeff${header}`,
      good,
      '"last, one",50,,1.718281828459045,"?",x,0,no',
      'p,40,none,0, ,x,.5,no',
    );
    const data = await loadDataset(source, table, root);
    expect([data.rows, data.shape, [...data.labels]]).toEqual([3, [9], [1, 0, 0]]);
    expect([...data.features]).toEqual([
      1, 1, 0, 0, 1, 0, 0, 1, -1500, 0, 0.5, 1, 0, 0, 1, 1, 0, 0, -1, 0.5, 0, 1, 0, 0, 1, 0, 0.5,
    ]);
  });

  it('take another delimiter, also a tab between empty cells, and CRLF', async () => {
    const tabs = [header, 'p,60,,0,,y,1,yes'].map((line) => line.replaceAll(',', '\t')).join('\r\n');
    await writeFile(join(root, 'table.csv'), tabs);
    const data = await loadDataset({ ...source, delimiter: '\t' }, table, root);
    expect([...data.features]).toEqual([1, 0.5, 0, 1, 0, 0, 0, 1, 1]);
    expect(await refusal({ ...source, delimiter: '::' }, table)).toMatch(/one character/);
    expect(await refusal(source, table)).toMatch(/no column "age"/);
  });

  it('predict numbers where the label is one', async () => {
    await write('a,y', '1,-2.5', '2,1e2');
    const numbers: Features = {
      kind: 'table',
      columns: [{ name: 'a', transform: { kind: 'identity' } }],
      label: { name: 'y', kind: 'number' },
    };
    const labels = async (scale: object) => {
      const label = { name: 'y', kind: 'number', ...scale } as const;
      return [...(await loadDataset(source, { ...numbers, label }, root)).labels];
    };
    expect(await labels({})).toEqual([-2.5, 100]);
    expect(await labels({ mean: 50 })).toEqual([-52.5, 50]);
    expect(await labels({ std: 0.5 })).toEqual([-5, 200]);
    expect(await labels({ mean: 50, std: 25 })).toEqual([Math.fround(-2.1), 2]);
    await write('a,y', '1,1e39');
    expect(await refusal(source, numbers)).toMatch(/row 1, column "y": "1e39" is not a number/);
  });

  it('hold many rows', async () => {
    await write(header, ...Array.from({ length: 5000 }, (_, i) => `p,${i},10,0,f,x,${i},no`));
    const data = await loadDataset(source, table, root);
    expect([data.rows, data.features.length, data.features.at(-1)]).toEqual([5000, 45_000, 4999]);
  });

  const bad = (cell: string, replacement: string) => good.replace(cell, replacement);
  it.each<[string, string[], RegExp]>([
    ['a missing cell', [bad(',60,', ',,')], /row 2, column "age": "" is missing/],
    ['text for a number', [bad(',60,', ',sixty,')], /column "age": "sixty" is not a finite decimal/],
    ['hexadecimal', [bad(',60,', ',0x1F,')], /"0x1F" is not a finite/],
    ['NaN', [bad(',60,', ',NaN,')], /"NaN" is not a finite/],
    ['Infinity', [bad(',60,', ',Infinity,')], /"Infinity" is not a finite/],
    ['a number beyond double', [bad(',60,', ',1e999,')], /"1e999" is not a finite/],
    ['a number beyond float32', [bad('-1.5e3', '1e39')], /column "raw": "1e39" has no finite value/],
    ['a logarithm of nothing', [bad(',20,0,', ',20,-1,')], /column "count": "-1" has no finite value/],
    ['an unknown category', [bad(',y,', ',z,')], /column "site": "z" is no category/],
    ['a missing category', [bad(',y,', ',,')], /column "site": "" is missing/],
    ['an unknown class', [bad('yes', 'Yes')], /column "ill": "Yes" is no class/],
    ['a missing label', [bad('yes', '')], /column "ill": "" is no class/],
    ['a prototype for a class', [bad('yes', '__proto__')], /is no class/],
    ['a cell too few', ['p,60'], /line 3 has another number of cells/],
    ['a cell too many', [`${good},1`], /line 3 has another number of cells/],
    ['a quote left open', ['"p,60'], /quoted cell that never ends/],
  ])('with %s are refused, showing nothing but the one value', async (_, rows, message) => {
    await write(header, good, ...rows);
    const text = await refusal(source, table);
    expect(text).toMatch(message);
    expect(text).not.toContain('patient-7');
  });

  it('without header, rows or the right columns are refused', async () => {
    await write('');
    expect(await refusal(source, table)).toMatch(/no rows/);
    await write(header);
    expect(await refusal(source, table)).toMatch(/no rows/);
    await write(`${header},age`, `${good},1`);
    expect(await refusal(source, table)).toMatch(/two columns "age"/);
    expect(await refusal({ kind: 'csv', path: 'none.csv' }, table)).toMatch(/none.csv does not exist/);
    expect(await refusal({ kind: 'csv', path: '.' }, table)).toMatch(/is a folder/);
  });

  it('cut a long value short and stop at a record without end', async () => {
    await write(header, bad(',60,', `,${'secret'.repeat(100)},`));
    expect((await refusal(source, table)).length).toBeLessThan(root.length + 150);
    await write(header, `"${'x'.repeat(5_000_000)}`);
    expect((await refusal(source, table)).length).toBeLessThan(root.length + 100);
  });

  it('are refused where the plan is impossible', async () => {
    await write(header, good);
    const columns = (column: object) => ({ ...table, columns: [{ name: 'age', ...column }] }) as Features;
    const load = (column: object) => loadDataset(source, columns(column), root);
    await expect(load({ transform: { kind: 'minmax', min: 1, max: 1 } })).rejects.toThrow(
      /minmax min 1 not below/,
    );
    await expect(load({ transform: { kind: 'identity' }, missing: 'x' })).rejects.toThrow(/"missing" is "x"/);
  });

  it('do not fit a plan for images, nor images one for tables', async () => {
    expect(await refusal(source, image)).toMatch(/wants image data, and these are csv files/);
    expect(await refusal({ kind: 'folder', path: '.' }, table)).toMatch(/wants table data/);
  });
});
