/** From masked sum to new model: take the masks away, check the sentinels, dequantise, apply the strategy. */
import { createHash } from 'node:crypto';
import { readSafetensorsHeader, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import {
  type Accumulator,
  checkSentinels,
  decodeScalarSum,
  dequantise,
  gridOf,
  layoutOf,
  sumOfSquares,
} from '@tributary/protocol/ring';
import { survivorMaskTerms } from '@tributary/protocol/secagg';
import { createStrategy } from '../strategies/index.ts';
import { type OpenFile, type OpenForReading, openOnDisk } from './files.ts';
import type { SumAnswer, SumJob } from './jobs.ts';

const BLOCK = 64 * 1024;

/** @param accumulator the folded sum over exactly the job's survivors; unmasked in place. */
export function finishSum(
  job: SumJob,
  accumulator: Accumulator,
  openFile: OpenForReading = openOnDisk,
): SumAnswer {
  const layout = layoutOf(job.parameters, job.scales.length);
  const terms = survivorMaskTerms(nodeCrypto, job.order);
  accumulator.addKeystreams([...terms].map(({ key, sign }) => ({ stream: nodeCrypto.keystream(key), sign })));
  const { words } = accumulator;
  const survivors = job.survivors.length;
  checkSentinels(words, survivors);
  const scalars = job.scales.map((scale, slot) => decodeScalarSum(words, layout, slot, survivors, scale));
  const sum = createHash('sha256').update(accumulator.bytes).digest('hex');
  const weight = scalars[0]!;
  if (!(weight > 0)) throw new TributaryError('sum-corrupt', `The sum of the weights is ${weight}.`);

  const base = openModel(openFile(job.basePath), job.parameters);
  try {
    const { file, values } = base;
    // `values` holds the mean update first; each block of it becomes the new weights once the old ones are read.
    dequantise(words, gridOf(job.cohortSize, job.coordinateBound), layout, weight / job.weightCap, values);
    const norm = moveWeights(job, values, base.readBlock);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return { sum, file, weights: createHash('sha256').update(bytes).digest('hex'), scalars, norm };
  } finally {
    base.close();
  }
}

/** @returns the L2 norm of the mean update. */
function moveWeights(
  job: SumJob,
  values: Float32Array,
  readBlock: (into: Float32Array, at: number) => void,
): number {
  const strategy = createStrategy(job.strategy);
  const old = new Float32Array(BLOCK);
  let squares = 0;
  for (let at = 0; at < values.length; at += BLOCK) {
    const mean = values.subarray(at, at + BLOCK);
    const weights = old.subarray(0, mean.length);
    readBlock(weights, at);
    squares += sumOfSquares(mean);
    strategy.apply(weights, mean);
    mean.set(weights);
    if (!Number.isFinite(sumOfSquares(weights))) throw notFinite();
  }
  if (!Number.isFinite(squares)) throw notFinite();
  return Math.sqrt(squares);
}

function notFinite(): TributaryError {
  return new TributaryError('not-finite', 'The new model is not finite.');
}

/** The new file starts as a copy of the base's header: same tensors, same names, other values. */
function openModel(handle: OpenFile, parameters: number) {
  const { size } = handle;
  const file = new Uint8Array(size);
  const head = Buffer.alloc(8);
  readFully(handle, head, 0);
  const dataOffset = 8 + Number(head.readBigUInt64LE());
  readFully(handle, file.subarray(0, dataOffset), 0);
  const header = readSafetensorsHeader(file);
  if (header.dataOffset !== dataOffset || size - dataOffset !== 4 * parameters) {
    handle.close();
    throw new TributaryError(
      'storage-failed',
      `The base model has ${size} bytes, not ${parameters} parameters.`,
    );
  }
  return {
    file,
    values: new Float32Array(file.buffer, dataOffset, parameters),
    readBlock(into: Float32Array, at: number) {
      readFully(handle, new Uint8Array(into.buffer, into.byteOffset, into.byteLength), dataOffset + 4 * at);
    },
    close: () => handle.close(),
  };
}

function readFully(handle: OpenFile, into: Uint8Array, position: number): void {
  let done = 0;
  while (done < into.length) {
    const read = handle.read(into.subarray(done), position + done);
    if (read === 0) throw new TributaryError('storage-failed', 'The base model ends too early.');
    done += read;
  }
}
