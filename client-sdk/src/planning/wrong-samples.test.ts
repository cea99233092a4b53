import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it, test } from 'vitest';
import { writeIdx } from '../data/idx.ts';
import { imageDraft } from './image-draft.ts';
import { readIdxImages, readImageFolder } from './image-sample.ts';
import { proposePlan } from './propose.ts';
import { readTable } from './read-table.ts';
import { csv, sampleFile } from './test-samples.ts';

/** Windows-1252: one byte per character. */
const latin = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));
const gzip = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0);

describe('a sample that is refused', () => {
  it.each<[string, string | Uint8Array, object, RegExp, RegExp]>([
    ['an empty file', '', {}, /is empty/, /CSV/],
    ['empty lines', '\n\n', {}, /empty lines/, /rows/],
    ['a header alone', 'a,b\n', {}, /no rows/, /sample/],
    ['one column', 'a\n1\n2\n', {}, /one column, "a"/, /semicolon or tab/],
    ['no header', '1,2,a\n3,4,b\n', {}, /no header row/, /names first/],
    ['a column twice', 'x,x\n1,2\n', {}, /two columns "x"/, /Rename/],
    ['nothing but empty cells', 'a,b\n,\n,\n', {}, /every cell/, /values/],
    ['rows of different length', 'x,y\n1,2\n1\n', {}, /line 3/, /Correct/],
    ['a binary file', Uint8Array.of(65, 44, 66, 10, 0, 1), {}, /binary file/, /UTF-8/],
    ['a compressed file', gzip, {}, /gzip/, /gunzip/],
    ['a workbook', 'PK\u0003\u0004....', {}, /Excel/, /CSV UTF-8/],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 65, 0), {}, /UTF-16/, /iconv/],
    [
      'Windows-1252',
      latin('x,class\n1,a\n2,caf\xe9\n'),
      {},
      /not UTF-8 \(near line \d\)/,
      /iconv -f WINDOWS-1252/,
    ],
    ['one class', csv('x,y', 9, (at) => [at % 3, 'a']), { label: 'y' }, /single class, "a"/, /every class/],
    ['no such label', csv('x,y', 9, (at) => [at % 3, 'a']), { label: 'z' }, /no column "z"/, /"x", "y"/],
    [
      'several possible labels',
      csv('a,b,c', 40, (at) => [at % 2 ? 'u' : 'v', at % 3 ? 'w' : 'x', at % 7]),
      {},
      /does not tell/,
      /--label COLUMN; it may be "a", "b"/,
    ],
    [
      'words for a regression',
      csv('x,y', 9, (at) => [at, `w${at % 2}`]),
      { label: 'y', task: 'regress' },
      /no numbers/,
      /--task classify/,
    ],
    ['a forecast of few rows', csv('t,y', 9, (at) => [at, at]), { task: 'forecast' }, /9 rows/, /longer/],
    [
      'text without text',
      csv('x,y', 30, (at) => [at % 5, at % 2]),
      { task: 'text', label: 'y' },
      /free text/,
      /--task classify/,
    ],
    [
      'nothing beside the label',
      csv('id,y', 30, (at) => [`k${at}`, at % 2]),
      { label: 'y' },
      /no column to learn from: "id"/,
      /beside the label/,
    ],
  ])('%s', async (_, content, options, message, remedy) => {
    const path = await sampleFile(content);
    await expect(proposePlan(path, { partners: 5, ...options })).rejects.toMatchObject({
      name: 'TributaryError',
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    });
  });

  it('that does not exist, or asks for two partners', async () => {
    await expect(proposePlan('/nonexistent.csv', { partners: 5 })).rejects.toThrow(/does not exist/);
    await expect(proposePlan('/nonexistent.csv', { partners: 2 })).rejects.toThrow(/too few/);
  });
});

test('a long file is read to 100,000 rows, with progress', async () => {
  const path = await sampleFile(`x,y\n${'1,2\n'.repeat(100_010)}`);
  const told: number[] = [];
  const sample = await readTable(path, ',', (rows) => told.push(rows));
  expect(sample).toMatchObject({ rows: 100_000, truncated: true });
  expect(told.slice(0, 2)).toEqual([5000, 10_000]);
});

describe('images', () => {
  async function folder(files: Record<string, [width: number, height: number, channels: 1 | 3]>) {
    const root = await mkdtemp(join(tmpdir(), 'tributary-images-'));
    for (const [name, [width, height, channels]] of Object.entries(files)) {
      await mkdir(join(root, name.split('/')[0]!), { recursive: true });
      const raw = sharp(new Uint8Array(width * height * channels).fill(9), {
        raw: { width, height, channels },
      });
      const png = await raw
        .toColourspace(channels === 1 ? 'b-w' : 'srgb')
        .png()
        .toBuffer();
      await writeFile(join(root, name), png);
    }
    return root;
  }

  it('in folders: the commonest size wins, others are counted', async () => {
    const sample = await readImageFolder(
      await folder({ 'cat/1.png': [16, 12, 3], 'cat/2.png': [16, 12, 3], 'dog/1.png': [20, 20, 3] }),
    );
    expect(sample).toMatchObject({ height: 12, width: 16, channels: 3, classes: ['cat', 'dog'], rows: 3 });
    expect(sample.findings[0]).toMatchObject({
      rule: 'mixed-sizes',
      message: expect.stringContaining('2 of 16 x 12, 1 of 20 x 20'),
    });
    const draft = imageDraft(sample, {}, 'pets');
    expect(draft.net).toBe('convolution');
    expect(() => imageDraft(sample, { label: 'x' }, 'pets')).toThrow(/folders or label file/);
  });

  it('in one class, or beside other files, are refused', async () => {
    await expect(readImageFolder(await folder({ 'cat/1.png': [4, 4, 1] }))).rejects.toThrow(/single class/);
    const stray = await folder({ 'cat/1.png': [4, 4, 1], 'dog/1.png': [4, 4, 1] });
    await writeFile(join(stray, 'dog', 'notes.txt'), 'x');
    await expect(readImageFolder(stray)).rejects.toThrow(/notes\.txt is not a PNG or JPEG/);
    await expect(readImageFolder(await folder({}))).rejects.toThrow(/holds no folders/);
    const fake = await folder({ 'cat/1.png': [4, 4, 1], 'dog/1.png': [4, 4, 1] });
    await writeFile(join(fake, 'dog', '2.png'), 'no image');
    await expect(readImageFolder(fake)).rejects.toThrow(/2\.png is no PNG or JPEG image/);
  });

  it('as IDX files bring their labels along', async () => {
    const root = await mkdtemp(join(tmpdir(), 'tributary-idx-'));
    const images = join(root, 'train-images.idx3-ubyte');
    await writeFile(images, writeIdx({ shape: [3, 8, 8], values: new Uint8Array(192) }));
    await expect(readIdxImages(images)).rejects.toThrow(/labels are not beside it/);
    await writeFile(
      join(root, 'train-labels.idx1-ubyte'),
      writeIdx({ shape: [3], values: Uint8Array.of(0, 2, 1) }),
    );
    const sample = await readIdxImages(images);
    expect(sample).toMatchObject({ height: 8, width: 8, channels: 1, classes: ['0', '1', '2'], rows: 3 });
    expect(await readImageFolder(root)).toEqual(sample);
    expect(imageDraft(sample, {}, 'd').network.why).toContain('2NN');
  });
});
