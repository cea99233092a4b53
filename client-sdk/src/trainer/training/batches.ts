/** Rows of a data set as the batches that a model takes. */
import { type Plan, TributaryError, targetOf } from '@tributary/protocol';
import type { Dataset, Windows } from '../../data/dataset.ts';
import { rowShape } from '../model/topology-checks.ts';

/** Values of the chosen rows, one after the other. Copying a batch is far cheaper than a gather in the engine. */
export function gather(dataset: Dataset, rows: Uint32Array): Float32Array {
  const { features, shape, windows } = dataset;
  const width = rowWidth(shape);
  // Windows begin at a step and run over those that follow it.
  return windows
    ? pick(features, rows, width, windows.starts, width / shape[0]!)
    : pick(features, rows, width);
}

/** What the chosen rows are to be predicted as: rows x values. */
export function labelsOf({ labels, rows: count }: Dataset, rows: Uint32Array): Float32Array {
  return pick(labels, rows, labels.length / count);
}

/** @param starts of each row in units of `step` values; without them rows lie one after the other */
function pick(
  values: Float32Array,
  rows: Uint32Array,
  width: number,
  starts?: Uint32Array,
  step = width,
): Float32Array {
  const picked = new Float32Array(rows.length * width);
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index]!;
    const from = (starts ? starts[row]! : row) * step;
    if (width === 1) picked[index] = values[from]!;
    else picked.set(values.subarray(from, from + width), index * width);
  }
  return picked;
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
  const { rows, features, labels, windows } = dataset;
  const width = rowWidth(shape);
  if (windows) checkWindows(dataset, windows, invalid);
  else if (features.length !== rows * width) invalid(`${features.length} values in ${rows} rows`);
  const target = targetOf(plan.features);
  const wanted = target.kind === 'features' ? width : 1;
  if (labels.length !== rows * wanted) invalid(`${labels.length} labels for ${rows} rows`);
  const classes = target.kind === 'class' ? target.classes.length : 0;
  const fits = (label: number) =>
    classes === 0 ? Number.isFinite(label) : Number.isInteger(label) && label >= 0 && label < classes;
  const at = labels.findIndex((label) => !fits(label));
  if (at >= 0) invalid(`row ${Math.floor(at / wanted)} has the label ${labels[at]}`);
}

function checkWindows(dataset: Dataset, windows: Windows, invalid: (why: string) => never): void {
  const { rows, shape, features } = dataset;
  const { starts, groups } = windows;
  const steps = features.length / (rowWidth(shape) / shape[0]!);
  if (starts.length !== rows || groups.reduce((sum, count) => sum + count, 0) !== rows)
    invalid(`${starts.length} windows in ${groups.length} groups for ${rows} rows`);
  const beyond = starts.findIndex((start) => start + shape[0]! > steps);
  if (beyond >= 0) invalid(`row ${beyond} ends behind the last of ${steps} steps`);
}
