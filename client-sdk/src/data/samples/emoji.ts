/**
 * 720 emoji of Twemoji (CC BY 4.0) on white, 64 x 64 pixels in colour, 72 of each class: small real images for
 * convolutional networks.
 */
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { readIdx, writeIdx } from '../idx.ts';
import { readShipped } from './shipped.ts';

const NAME = 'emoji.idx4-ubyte.br';
const SHA256 = '8a3d635279b3ab52afc46e1e506d9f7aaa01b5c4aa1af8186467a9637a89394b';

/** In the order of the file. */
export const SUBJECTS = [
  ...['activities', 'animals', 'faces', 'flags', 'food'],
  ...['objects', 'people', 'places', 'symbols', 'transport'],
] as const;
/** Two of them, told apart by the network for larger images. */
export const PAIR = ['faces', 'flags'] as const;

const PER_SUBJECT = 72;
const SIDE = 64;
const CHANNELS = 3;

/** Every sixth image of a subject is for testing: 60 of each to train, 12 to test. */
const TEST_EVERY = 6;

export interface EmojiSet {
  /** Pixels of an image in each direction. */
  readonly side: number;
  /** rows x side x side x 3 bytes, row-major. */
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** @throws data-invalid */
export async function loadEmoji(task: 'all-32' | 'pair-64'): Promise<{ train: EmojiSet; test: EmojiSet }> {
  const bytes = await promisify(brotliDecompress)(await readShipped(NAME, SHA256));
  const { values } = readIdx(bytes, NAME);
  const pair = task === 'pair-64';
  const names: readonly string[] = pair ? PAIR : SUBJECTS;
  const classOf = (row: number) => names.indexOf(SUBJECTS[Math.floor(row / PER_SUBJECT)]!);
  const rows = Array.from({ length: SUBJECTS.length * PER_SUBJECT }, (_, row) => row);
  const all = {
    side: pair ? SIDE : SIDE / 2,
    images: pair ? values : halved(values),
    // 255 where a subject is none of the pair: those are not picked.
    labels: Uint8Array.from(rows, classOf),
  };
  const pick = (test: boolean) =>
    pickEmoji(
      all,
      rows.filter((row) => classOf(row) >= 0 && (row % TEST_EVERY === 0) === test),
    );
  return { train: pick(false), test: pick(true) };
}

/** Half as wide and high: each pixel the mean of four. */
function halved(values: Uint8Array): Uint8Array {
  const half = new Uint8Array(values.length / 4);
  const line = SIDE * CHANNELS;
  let to = 0;
  for (let y = 0; y < values.length / line; y += 2)
    for (let x = 0; x < SIDE; x += 2)
      for (let channel = 0; channel < CHANNELS; channel += 1, to += 1) {
        const at = y * line + x * CHANNELS + channel;
        const sum = values[at]! + values[at + CHANNELS]! + values[at + line]! + values[at + line + CHANNELS]!;
        half[to] = Math.round(sum / 4);
      }
  return half;
}

/** The rows of `set` that `indices` names, in that order. */
export function pickEmoji({ side, images, labels }: EmojiSet, indices: readonly number[]): EmojiSet {
  const size = side * side * CHANNELS;
  const picked = new Uint8Array(indices.length * size);
  for (const [i, row] of indices.entries())
    picked.set(images.subarray(row * size, (row + 1) * size), i * size);
  return { side, images: picked, labels: Uint8Array.from(indices, (row) => labels[row]!) };
}

export function emojiIdx({ side, images, labels }: EmojiSet): { images: Uint8Array; labels: Uint8Array } {
  return {
    images: writeIdx({ shape: [labels.length, side, side, CHANNELS], values: images }),
    labels: writeIdx({ shape: [labels.length], values: labels }),
  };
}
