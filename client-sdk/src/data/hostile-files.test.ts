/** Files that are broken, or made to break what reads them: rows, or data-invalid; never another error. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Features, TributaryError } from '@tributary/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCsv } from './csv.ts';
import { readIdx, writeIdx } from './idx.ts';
import { loadDataset } from './load.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tributary-hostile-files-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const allowed = (thrown: unknown): boolean =>
  thrown instanceof TributaryError && ['data-invalid', 'too-large'].includes(thrown.code);

/** A file with some bytes changed, taken away or added. */
const broken = (good: Uint8Array) =>
  fc
    .array(fc.record({ at: fc.nat(good.length), cut: fc.nat(8), put: fc.uint8Array({ maxLength: 6 }) }), {
      maxLength: 4,
    })
    .map((changes) =>
      changes.reduce(
        (bytes, { at, cut, put }) => Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]),
        Buffer.from(good),
      ),
    );

it('IDX files', () => {
  const good = writeIdx({ shape: [2, 2, 3], values: new Uint8Array(12).fill(7) });
  fc.assert(
    fc.property(broken(good), (bytes) => {
      try {
        const { shape, values } = readIdx(bytes, 'x');
        expect(values.length).toBe(shape.reduce((product, size) => product * size, 1));
      } catch (thrown) {
        if (!allowed(thrown)) throw thrown;
      }
    }),
    { numRuns: 500 },
  );
});

it('CSV files', async () => {
  const good = Buffer.from('age,"sex",label\n1,"m ""x""",a\n2,f,b\n');
  const path = join(root, 'rows.csv');
  await fc.assert(
    fc.asyncProperty(broken(good), fc.constantFrom(',', ';', '\t'), async (bytes, delimiter) => {
      await writeFile(path, bytes);
      await readCsv({ path, delimiter }, () => () => {}).catch((thrown) => {
        if (!allowed(thrown)) throw thrown;
      });
    }),
    { numRuns: 60 },
  );
});

it('images', async () => {
  const features: Features = {
    ...{ kind: 'image', height: 2, width: 2, channels: 1, scale: 1, mean: 0, std: 1 },
    classes: ['a'],
  };
  await mkdir(join(root, 'images/a'), { recursive: true });
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNgaGBgAAABhACBbkRzvQAAAABJRU5ErkJggg==',
    'base64',
  );
  await fc.assert(
    fc.asyncProperty(broken(png), async (bytes) => {
      await writeFile(join(root, 'images/a/one.png'), bytes);
      await loadDataset({ kind: 'folder', path: 'images' }, features, root).catch((thrown) => {
        if (!allowed(thrown)) throw thrown;
      });
    }),
    { numRuns: 30 },
  );
});
