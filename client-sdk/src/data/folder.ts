/**
 * Image folders: one folder per class, PNG or JPEG files in it. Decoded by sharp, which is optional. Pixels are
 * neither resized nor turned: what the model sees must be the owner's decision, so a wrong size is an error.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Features, TributaryError } from '@tributary/protocol';
import type { Sharp, SharpOptions } from 'sharp';
import type { Dataset } from './dataset.ts';
import { fileProblem, invalidData, quote, requireRoom } from './problems.ts';
import { pixelTable } from './transforms.ts';

type ImageFeatures = Extract<Features, { kind: 'image' }>;
type Decode = (file: string, options: SharpOptions) => Sharp;

interface ImageFile {
  readonly path: string;
  readonly label: number;
}

/** Files decoded at the same time: enough to keep libvips' threads busy, few enough for memory. */
const AT_ONCE = 8;

export async function loadFolder(
  folder: string,
  features: ImageFeatures,
  importSharp: () => Promise<{ default: Decode }> = () => import('sharp'),
): Promise<Dataset> {
  const files = await listImages(folder, features.classes);
  if (files.length === 0) throw invalidData(`${folder} holds no images.`);
  const decode = await loadDecoder(importSharp);
  const { height, width, channels } = features;
  const size = height * width * channels;
  requireRoom(files.length, size, folder);
  const table = pixelTable(features);
  const values = new Float32Array(files.length * size);
  for (let start = 0; start < files.length; start += AT_ONCE)
    await Promise.all(
      files.slice(start, start + AT_ONCE).map(async ({ path }, i) => {
        const pixels = await readPixels(decode, path, features);
        const at = (start + i) * size;
        for (let p = 0; p < size; p++) values[at + p] = table[pixels[p]!]!;
      }),
    );
  return {
    rows: files.length,
    shape: [height, width, channels],
    features: values,
    labels: Float32Array.from(files, ({ label }) => label),
  };
}

/**
 * Folders are matched by name, never opened by it: class names come with the plan, from outside. A class without a
 * folder is no error (no partner holds everything), a folder without a class is. Dot-files are left alone.
 */
async function listImages(folder: string, classes: readonly string[]): Promise<ImageFile[]> {
  const files: ImageFile[] = [];
  for (const entry of await list(folder)) {
    const path = join(folder, entry.name);
    const label = classes.indexOf(entry.name);
    if (!entry.isDirectory())
      throw invalidData(`${path} is not a folder; images lie in one folder per class.`);
    if (label < 0)
      throw invalidData(`${path} is not named after a class of the plan (${classList(classes)}).`);
    for (const image of await list(path)) {
      const file = join(path, image.name);
      if (!image.isFile() || !/\.(png|jpe?g)$/i.test(image.name))
        throw invalidData(`${file} is not a PNG or JPEG file; move it out of the folder.`);
      files.push({ path: file, label });
    }
  }
  return files;
}

/** Sorted by name, so that the rows have the same order on every machine. */
async function list(folder: string) {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  } catch (thrown) {
    throw fileProblem(folder, thrown);
  }
}

function classList(classes: readonly string[]): string {
  const shown = classes.slice(0, 5).map(quote).join(', ');
  return classes.length > 5 ? `${shown} and ${classes.length - 5} more` : shown;
}

export async function loadDecoder(
  importSharp: () => Promise<{ default: Decode }> = () => import('sharp'),
): Promise<Decode> {
  try {
    return (await importSharp()).default;
  } catch (cause) {
    throw new TributaryError(
      'data-invalid',
      'Image folders need the optional package sharp, which is missing or does not load.',
      {
        cause,
        remedy: 'Run `npm install sharp@0.35.5`, or convert the images to IDX files.',
      },
    );
  }
}

/** height x width x channels bytes, row-major. */
async function readPixels(decode: Decode, path: string, features: ImageFeatures): Promise<Uint8Array> {
  const { height, width, channels } = features;
  const image = decode(path, { failOn: 'warning' });
  const found = await decoding(path, image.metadata());
  // The type comes from the content: an SVG or a PDF named .png would be drawn, not decoded.
  if (found.format !== 'png' && found.format !== 'jpeg')
    throw invalidData(`${path} is a ${found.format} file, not PNG or JPEG.`);
  if (found.width !== width || found.height !== height)
    throw invalidData(
      `${path} is ${found.width} x ${found.height} pixels, the plan wants ${width} x ${height} (width x height); resize it yourself.`,
    );
  const { data, info } = await decoding(
    path,
    image
      .removeAlpha()
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true }),
  );
  if (info.channels !== channels || data.length !== height * width * channels)
    throw invalidData(`${path} decodes to ${info.channels} channels, the plan wants ${channels}.`);
  return data;
}

/** sharp's own text is left out: it may quote metadata of the image. */
async function decoding<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch {
    throw invalidData(`${path} cannot be decoded: damaged, cut short, or no image.`);
  }
}
