/** Rows of a data set as the batches that a model takes. */
import { type Plan, TributaryError } from '@tributary/protocol';
import type { Dataset } from '../../data/dataset.ts';
import { classCount } from '../model/heads.ts';
import { rowShape } from '../model/topology-checks.ts';

/** Values of the chosen rows, one after the other. Copying a batch is far cheaper than a gather in the engine. */
export function gather(dataset: Dataset, rows: Uint32Array): Float32Array {
  const width = rowWidth(dataset.shape);
  const values = new Float32Array(rows.length * width);
  for (let index = 0; index < rows.length; index += 1) {
    const from = rows[index]! * width;
    values.set(dataset.features.subarray(from, from + width), index * width);
  }
  return values;
}

export function labelsOf(dataset: Dataset, rows: Uint32Array): Float32Array {
  const labels = new Float32Array(rows.length);
  for (let index = 0; index < rows.length; index += 1) labels[index] = dataset.labels[rows[index]!]!;
  return labels;
}

/** Values in one row. */
export function rowWidth(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** @throws TributaryError data-invalid when rows, labels and plan do not belong together. */
export function checkDataset(plan: Plan, dataset: Dataset): void {
  const invalid = (why: string): never => {
    throw new TributaryError('data-invalid', `The data does not fit plan "${plan.name}": ${why}.`);
  };
  const shape = rowShape(plan.features);
  if (String(dataset.shape) !== String(shape)) invalid(`rows are [${dataset.shape}] and not [${shape}]`);
  const { rows, features, labels } = dataset;
  if (features.length !== rows * rowWidth(shape)) invalid(`${features.length} values in ${rows} rows`);
  if (labels.length !== rows) invalid(`${labels.length} labels for ${rows} rows`);
  const classes = classCount(plan);
  const fits = (label: number) =>
    classes === 0 ? Number.isFinite(label) : Number.isInteger(label) && label >= 0 && label < classes;
  const row = labels.findIndex((label) => !fits(label));
  if (row >= 0) invalid(`row ${row} has the label ${labels[row]}`);
}
