/** A sample of images: a folder per class, or two IDX files. Sizes and counts only; no pixel is looked at. */
import type { Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { loadDecoder } from '../data/folder.ts';
import { readIdx } from '../data/idx.ts';
import { fileProblem, MAX_FLOATS, readWhole } from '../data/problems.ts';
import { type Finding, finding, named, sampleProblem } from './finding.ts';
import { MAX_SAMPLE_ROWS } from './read-table.ts';

export interface ImageSample {
  readonly path: string;
  /** For node.yaml, and for trying the plan. */
  readonly source:
    | { readonly kind: 'folder'; readonly path: string }
    | { readonly kind: 'idx'; readonly images: string; readonly labels: string };
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly classes: readonly string[];
  readonly rows: number;
  readonly findings: readonly Finding[];
}

const REPORT_EVERY = 100;
/** Larger images make large plans: the first dense layer grows with their area. */
const LARGE = 256;

/** @throws data-invalid */
export async function readImageFolder(
  folder: string,
  onRows: (rows: number) => void = () => {},
): Promise<ImageSample> {
  const entries = await list(folder);
  const idx = idxPair(entries.map(({ name }) => name));
  if (idx) return readIdxPair(join(folder, idx.images), join(folder, idx.labels));
  const folders = entries.filter((entry) => entry.isDirectory());
  const stray = entries.find((entry) => !entry.isDirectory());
  if (folders.length === 0)
    throw sampleProblem(
      `${folder} holds no folders: images lie in one folder per class, named after it.`,
      'Sort the images into such folders, or pass a CSV file.',
    );
  if (stray)
    throw sampleProblem(
      `${join(folder, stray.name)} is not a folder; images lie in one folder per class.`,
      'Move it out, as every partner must.',
    );
  const files = new Map<string, string[]>();
  for (const { name } of folders)
    files.set(name, imageFiles(join(folder, name), await list(join(folder, name))));
  const classes = [...files].filter(([, found]) => found.length > 0).map(([name]) => name);
  if (classes.length < 2)
    throw sampleProblem(
      classes.length === 0
        ? `${folder}: its folders hold no PNG or JPEG files.`
        : `${folder} holds a single class with images, ${named(classes)}; there is nothing to tell apart.`,
      'Pass a folder with one folder of PNG or JPEG images for each of two or more classes.',
    );
  const all = [...files.values()].flat();
  const sizes = await measure(all.slice(0, MAX_SAMPLE_ROWS), onRows);
  return describe(folder, classes, all.length, sizes, [...files]);
}

type Sizes = { readonly counts: ReadonlyMap<string, number>; readonly colour: number; readonly rows: number };

async function measure(paths: readonly string[], onRows: (rows: number) => void): Promise<Sizes> {
  const decode = await loadDecoder();
  const counts = new Map<string, number>();
  let colour = 0;
  for (const [at, path] of paths.entries()) {
    const found = await decode(path, {})
      .metadata()
      .catch(() => undefined);
    if (found?.format !== 'png' && found?.format !== 'jpeg')
      throw sampleProblem(`${path} is no PNG or JPEG image.`, 'Remove it, or convert it to PNG.');
    const size = `${found.width} x ${found.height}`;
    counts.set(size, (counts.get(size) ?? 0) + 1);
    if (found.channels >= 3) colour += 1;
    if ((at + 1) % REPORT_EVERY === 0) onRows(at + 1);
  }
  return { counts, colour, rows: paths.length };
}

function describe(
  path: string,
  classes: readonly string[],
  rows: number,
  { counts, colour, rows: measured }: Sizes,
  files: readonly (readonly [string, readonly string[]])[],
): ImageSample {
  const ordered = [...counts].sort((a, b) => b[1] - a[1]);
  const [[most]] = ordered as [[string, number]];
  const [width, height] = most.split(' x ').map(Number) as [number, number];
  const findings: Finding[] = [];
  if (ordered.length > 1)
    findings.push(
      finding(
        'warning',
        'mixed-sizes',
        `The images have ${ordered.length} sizes: ${ordered
          .slice(0, 6)
          .map(([size, count]) => `${count} of ${size}`)
          .join(
            ', ',
          )}${ordered.length > 6 ? ', ...' : ''}. The plan takes the commonest; a node refuses the others.`,
        `Every partner resizes its images to ${most} (width x height), for example with ImageMagick: mogrify -resize ${width}x${height}! *.png`,
      ),
    );
  if (colour > 0 && colour < measured)
    findings.push(
      finding(
        'note',
        'mixed-colours',
        `${colour} of ${measured} images have colours; the plan takes three channels for all.`,
        'Grey ones are spread over three channels by each node.',
      ),
    );
  const few = files.filter(([, found]) => found.length < 5).map(([name]) => name);
  if (few.length > 0)
    findings.push(
      finding(
        'warning',
        'rare-classes',
        `Fewer than 5 images in ${named(few)}.`,
        'Pass a larger sample, or remove the folder.',
      ),
    );
  if (measured < rows)
    findings.push(
      finding(
        'note',
        'truncated',
        `Only the first ${measured} images were looked at.`,
        'Sizes of the rest may differ.',
      ),
    );
  return {
    path,
    source: { kind: 'folder', path },
    height,
    width,
    channels: colour > 0 ? 3 : 1,
    classes,
    rows,
    findings: [...findings, ...largeFinding(height, width)],
  };
}

function largeFinding(height: number, width: number): Finding[] {
  if (Math.max(height, width) <= LARGE) return [];
  return [
    finding(
      'warning',
      'large-images',
      `Images of ${width} x ${height} pixels train slowly.`,
      'If less detail is enough, resize them to 64 x 64 or 128 x 128 first, at every partner alike.',
    ),
  ];
}

/** @param images path; its labels lie beside it under the name that MNIST uses. @throws data-invalid */
export async function readIdxImages(images: string): Promise<ImageSample> {
  const folder = dirname(images);
  const pair = idxPair([basename(images), ...(await list(folder)).map(({ name }) => name)]);
  if (!pair || join(folder, pair.images) !== join(folder, basename(images)))
    throw sampleProblem(
      `${images} is an IDX file, and its labels are not beside it.`,
      'Pass the file of images; labels have the same name with "labels" for "images" and "idx1" for "idx3".',
    );
  return readIdxPair(images, join(folder, pair.labels));
}

async function readIdxPair(images: string, labels: string): Promise<ImageSample> {
  const shape = await idxShape(images);
  const [rows = 0, height = 0, width = 0, channels = 1] = shape;
  if (shape.length < 3 || shape.length > 4 || (channels !== 1 && channels !== 3))
    throw sampleProblem(
      `${images} holds values of shape [${shape}], not [rows, height, width] or [rows, height, width, 3].`,
      'Pass an IDX file of images.',
    );
  const { values } = readIdx(await readWhole(labels, MAX_FLOATS), labels);
  if (values.length !== rows)
    throw sampleProblem(
      `${images} has ${rows} images, ${labels} ${values.length} labels.`,
      'Pass files that belong together.',
    );
  let highest = 0;
  for (const value of values) highest = Math.max(highest, value);
  if (new Set(values).size < 2)
    throw sampleProblem(
      `${labels} holds ${rows === 0 ? 'no labels' : 'a single class'}; there is nothing to tell apart.`,
      'Pass a sample that holds every class.',
    );
  return {
    path: images,
    source: { kind: 'idx', images, labels },
    height,
    width,
    channels,
    classes: Array.from({ length: highest + 1 }, (_, label) => String(label)),
    rows,
    findings: largeFinding(height, width),
  };
}

/** Of the header alone. */
async function idxShape(path: string): Promise<number[]> {
  const file = await open(path).catch((thrown) => {
    throw fileProblem(path, thrown);
  });
  try {
    const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0);
    return Array.from({ length: Math.min(4, buffer[3]!) }, (_, at) => buffer.readUInt32BE(4 + 4 * at));
  } finally {
    await file.close();
  }
}

function idxPair(names: readonly string[]): { images: string; labels: string } | undefined {
  for (const images of names.filter((name) => /images.*(idx|ubyte)/.test(name))) {
    const labels = images.replace('images', 'labels').replace('idx3', 'idx1');
    if (names.includes(labels)) return { images, labels };
  }
  return undefined;
}

function imageFiles(folder: string, entries: readonly Dirent[]): string[] {
  return entries.map((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isFile() || !/\.(png|jpe?g)$/i.test(entry.name))
      throw sampleProblem(
        `${path} is not a PNG or JPEG file.`,
        'Move it out of the folder, as every partner must.',
      );
    return path;
  });
}

async function list(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    throw fileProblem(folder, thrown);
  }
}
