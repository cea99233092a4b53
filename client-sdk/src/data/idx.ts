/**
 * IDX files (yann.lecun.com/exdb/mnist, "the IDX file format"): two zero bytes, a type byte, the number of
 * dimensions, each dimension as a big-endian u32, then the values. Only unsigned bytes (0x08): pixels and labels.
 */
import type { Features } from '@tributary/protocol';
import type { Dataset } from './dataset.ts';
import { invalidData, MAX_FLOATS, readWhole, requireRoom } from './problems.ts';
import { pixelTable } from './transforms.ts';

export interface IdxArray {
  /** Rows first. */
  readonly shape: readonly number[];
  /** product(shape) bytes, row-major. */
  readonly values: Uint8Array;
}

const UNSIGNED_BYTE = 0x08;
/** Rows, height, width, channels. */
const MAX_RANK = 4;

/** @throws data-invalid naming `path` and what is wrong */
export function readIdx(bytes: Uint8Array, path: string): IdxArray {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b)
    throw invalidData(`${path} is compressed with gzip; unpack it first.`);
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0)
    throw invalidData(`${path} is not an IDX file: it does not begin with two zero bytes.`);
  if (bytes[2] !== UNSIGNED_BYTE)
    throw invalidData(`${path} holds IDX values of type ${bytes[2]}; only unsigned bytes (8) are read.`);
  const rank = bytes[3]!;
  if (rank < 1 || rank > MAX_RANK)
    throw invalidData(`${path} has ${rank} dimensions, an IDX file of ours 1 to ${MAX_RANK}.`);
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw invalidData(`${path} ends within its header of ${start} bytes.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, start);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const expected = shape.reduce((product, size) => product * size, 1);
  if (bytes.length - start !== expected)
    throw invalidData(`${path} of [${shape}] needs ${expected} values and holds ${bytes.length - start}.`);
  return { shape, values: bytes.subarray(start) };
}

export function writeIdx({ shape, values }: IdxArray): Uint8Array {
  const expected = shape.reduce((product, size) => product * size, 1);
  if (shape.length < 1 || shape.length > MAX_RANK || values.length !== expected)
    throw invalidData(`${values.length} values cannot be an IDX array of [${shape}].`);
  const start = 4 + 4 * shape.length;
  const bytes = new Uint8Array(start + values.length);
  bytes.set([0, 0, UNSIGNED_BYTE, shape.length]);
  const view = new DataView(bytes.buffer);
  shape.forEach((size, i) => {
    view.setUint32(4 + 4 * i, size);
  });
  bytes.set(values, start);
  return bytes;
}

/** Images and labels from two IDX files; colour images have a fourth dimension of 3. */
export async function loadIdx(
  imagesPath: string,
  labelsPath: string,
  features: Extract<Features, { kind: 'image' }>,
): Promise<Dataset> {
  const images = readIdx(await readWhole(imagesPath, MAX_FLOATS), imagesPath);
  const labels = readIdx(await readWhole(labelsPath, MAX_FLOATS), labelsPath);
  const { height, width, channels, classes } = features;
  const [rows = 0, ...row] = images.shape;
  if (row.length === 2) row.push(1);
  if (row.join() !== [height, width, channels].join())
    throw invalidData(
      `${imagesPath} holds images of [${row}], the plan wants [${[height, width, channels]}] (height, width, channels).`,
    );
  if (labels.shape.length !== 1)
    throw invalidData(`${labelsPath} must hold one label per row, its shape is [${labels.shape}].`);
  if (labels.shape[0] !== rows)
    throw invalidData(`${imagesPath} has ${rows} rows, ${labelsPath} ${labels.shape[0]}.`);
  if (rows === 0) throw invalidData(`${imagesPath} holds no rows.`);
  const wrong = labels.values.findIndex((label) => label >= classes.length);
  if (wrong >= 0)
    throw invalidData(
      `${labelsPath}: row ${wrong + 1} has label ${labels.values[wrong]}, the plan knows 0 to ${classes.length - 1}.`,
    );
  requireRoom(rows, height * width * channels, imagesPath);
  const table = pixelTable(features);
  const values = new Float32Array(images.values.length);
  for (let i = 0; i < values.length; i++) values[i] = table[images.values[i]!]!;
  return {
    rows,
    shape: [height, width, channels],
    features: values,
    labels: Float32Array.from(labels.values),
  };
}
