/** What a node does for a plan with a `Moments` layer (PROTOCOL.md 5.8): one exact pass over the rows, no gradients. */
import { type ModelWeights, TributaryError } from '@tributary/protocol';
import type { Dataset } from '../../data/dataset.ts';
import type { MomentsLayer } from '../model/moments-checks.ts';
import { rowWidth } from './batches.ts';

/**
 * Adds count, sum and sum of squares of the columns over `rows`, each divided by the layer's `rows`, to the base
 * weights. Sums are kept in float64; only the results are rounded to float32. Returns new weights in flat order.
 * @throws TributaryError model-invalid
 */
export function addMoments(
  { name, rows: unit }: MomentsLayer,
  base: ModelWeights,
  dataset: Dataset,
  rows: Uint32Array,
): Float32Array {
  const width = rowWidth(dataset.shape);
  const sums = new Float64Array(width);
  const squares = new Float64Array(width);
  for (const row of rows) {
    const from = row * width;
    for (let column = 0; column < width; column += 1) {
      const value = dataset.features[from + column]!;
      sums[column]! += value;
      squares[column]! += value * value;
    }
  }
  const values = base.values.slice();
  const totals = { count: [rows.length], sum: sums, sum_of_squares: squares };
  for (const [weight, total] of Object.entries(totals)) {
    const { offset } = tensorOf(base, `${name}/${weight}`, total.length);
    for (let i = 0; i < total.length; i += 1) values[offset + i] = values[offset + i]! + total[i]! / unit;
  }
  return values;
}

export function tensorOf({ tensors }: ModelWeights, name: string, length: number) {
  const found = tensors.find((tensor) => tensor.name === name);
  if (found?.length === length) return found;
  throw new TributaryError(
    'model-invalid',
    `The incoming model does not fit the plan: ${name} has ${found?.length ?? 'no'} values and not ${length}.`,
  );
}
