/** From the published sums to mean and standard deviation of every column (PROTOCOL.md 5.8). */
import { type Column, type ModelWeights, type Plan, TributaryError } from '@tributary/protocol';
import { momentsLayerOf } from '../trainer/model/moments-checks.ts';
import { initialWeights } from '../trainer/model/topology.ts';
import { tensorOf } from '../trainer/training/moments-pass.ts';

/** What a finished run of a `momentsPlan` leaves behind. */
export interface MomentsRun {
  readonly plan: Plan;
  /** The published model. */
  readonly model: ModelWeights;
  /** Partners in the sum (U3), and those of the roster that are not. */
  readonly participants: number;
  readonly dropped: number;
  /** Partners whose sums were scaled down to the plan's clip. */
  readonly clipped: number;
}

export interface ColumnMoments {
  readonly name: string;
  /** In the column's own units; the standard deviation is that of the pooled rows (divided by n). */
  readonly mean: number;
  readonly std: number;
  /** Bound on the relative error of `std`. */
  readonly error: number;
}

export interface Moments {
  /** Of all partners in the sum together. */
  readonly rows: number;
  readonly columns: readonly ColumnMoments[];
}

/** Relative error of `std` that is let through. */
const PRECISION = 1e-4;
/** Roundings to float32 between rows and published model: base + sum, difference, mean, model. In units of the value. */
const ROUNDING = 5 * 2 ** -24;
/** A whole number of rows comes out to within this share, or the run did not start from its plan's weights. */
const WHOLE = 1e-3;

/**
 * Loads tfjs, to make the initial weights of the plan once more and take them away.
 * @throws plan-invalid, model-invalid; data-invalid when a partner was clipped, or a column is known too coarsely
 */
export async function readMoments(run: MomentsRun): Promise<Moments> {
  const { plan, model, participants, clipped } = run;
  const layer = momentsLayerOf(plan);
  if (!layer || plan.features.kind !== 'table')
    throw new TributaryError('plan-invalid', `Plan ${plan.name} adds up no moments: it trains.`, {
      remedy: 'Make a plan that does with `tributary plan moments plan.yaml`, and run that first.',
    });
  if (clipped > 0) throw wasClipped(clipped, participants, layer.rows);
  const { columns } = plan.features;
  const base = await initialWeights(plan);
  const read = (weight: string, length: number): Float64Array => {
    const name = `${layer.name}/${weight}`;
    const [to, from] = [tensorOf(model, name, length), tensorOf(base, name, length)];
    return Float64Array.from(
      { length },
      (_, i) => model.values[to.offset + i]! - base.values[from.offset + i]!,
    );
  };
  const [count] = read('count', 1) as unknown as [number];
  const sums = read('sum', columns.length);
  const squares = read('sum_of_squares', columns.length);
  const grid = gridError(run);
  return {
    rows: rowsOf(count * layer.rows * participants, grid * layer.rows * participants),
    columns: columns.map((column, i) =>
      columnMoments(column, sums[i]! / count, squares[i]! / count, grid / count),
    ),
  };
}

/** Half a step of the fixed-point grid (PROTOCOL.md 6.5): the most by which quantisation moves a mean over partners. */
function gridError({ plan, participants, dropped }: MomentsRun): number {
  const { clip, coordinateBound = clip } = plan.aggregation;
  return coordinateBound / Math.floor((2 ** 31 - 1) / (participants + dropped)) / 2;
}

function rowsOf(count: number, tolerance: number): number {
  const rows = Math.round(count);
  if (rows >= 1 && Math.abs(count - rows) <= WHOLE * Math.max(1, rows) + tolerance) return rows;
  throw new TributaryError('model-invalid', `The sums are over ${count} rows, which is no number of rows.`, {
    remedy: 'The run must start from the initial weights of its plan: start it without --weights.',
  });
}

/**
 * `mean` and `square` are those of the transformed column u = (x - min) / (max - min); `grid` the error of both from
 * quantisation. std(u)^2 = E[u^2] - E[u]^2, so what both are off by adds up.
 */
function columnMoments(
  { name, transform }: Column,
  mean: number,
  square: number,
  grid: number,
): ColumnMoments {
  if (transform.kind !== 'minmax')
    throw new TributaryError('plan-invalid', `features: column ${name} is not summed under minmax.`);
  const span = transform.max - transform.min;
  const variance = square - mean * mean;
  // Errors of the sums, and of the count that they are divided by.
  const ofMean = Math.abs(mean) * (2 * ROUNDING + grid) + grid;
  const ofSquare = square * (2 * ROUNDING + grid) + grid;
  const ofVariance = ofSquare + 2 * Math.abs(mean) * ofMean + ofMean * ofMean;
  const error = ofVariance / (2 * variance);
  const result = { name, mean: transform.min + span * mean, std: span * Math.sqrt(variance), error };
  if (variance > 0 && error < PRECISION) return result;
  throw tooCoarse(result.mean, name, span * Math.sqrt(Math.max(variance, 0) + ofVariance));
}

function wasClipped(clipped: number, participants: number, rows: number): TributaryError {
  return new TributaryError(
    'data-invalid',
    `${clipped} of ${participants} partners had sums above the plan's clip: more than ${rows} rows, or values far ` +
      'outside the stated ranges. What was published is not the moments of all rows.',
    {
      remedy:
        'State wider ranges in plan.yaml or give more rows with `tributary plan moments plan.yaml --rows N`, ' +
        'and run that plan.',
    },
  );
}

function tooCoarse(mean: number, name: string, most: number): TributaryError {
  const about = (value: number) => Number(value.toPrecision(3));
  return new TributaryError(
    'data-invalid',
    `Column ${name} lies around ${about(mean)} and varies by at most ${about(most)}: within its stated range that is ` +
      `too little to be known to 1 in ${1 / PRECISION}.`,
    {
      remedy:
        'State a narrower range around that value, or give --rows near those of the largest partner; leave the ' +
        'column out of the plan if it is the same in all rows.',
    },
  );
}
