/** The plan's transforms (PROTOCOL.md 5): the same numbers at every partner, computed in double, stored as float32. */
import { type Column, type Features, TributaryError } from '@tributary/protocol';

type ImageFeatures = Extract<Features, { kind: 'image' }>;

/** What each of the 256 pixel bytes becomes. */
export function pixelTable({ scale, mean, std }: ImageFeatures): Float32Array {
  const table = Float32Array.from({ length: 256 }, (_, byte) => (byte * scale - mean) / std);
  if (!table.every(Number.isFinite))
    throw new TributaryError('plan-invalid', `Pixels leave float32 with scale ${scale}, std ${std}.`);
  return table;
}

/** Writes one cell into `row` at `at`; returns what is wrong with the cell, in words, or undefined. */
export type CellWriter = (cell: string, row: Float32Array, at: number) => string | undefined;

export interface CompiledColumn {
  readonly name: string;
  /** Values that one cell becomes. */
  readonly width: number;
  readonly write: CellWriter;
}

/** Decimal notation only: `Number` would also read '', ' ', '0x10' and 'Infinity'. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** @returns undefined when `cell` is not a finite decimal number. */
export function readNumber(cell: string): number | undefined {
  if (!DECIMAL.test(cell)) return undefined;
  const value = Number(cell);
  return Number.isFinite(value) ? value : undefined;
}

/** @throws plan-invalid when the constants of the plan cannot be applied to any cell */
export function compileColumn(column: Column): CompiledColumn {
  const { name, transform } = column;
  if (transform.kind === 'onehot')
    return {
      name,
      width: transform.categories.length + (transform.other ? 1 : 0),
      write: oneHot(transform.categories, transform.other, column.missing),
    };
  return { name, width: 1, write: numeric(column, scalarTransform(column)) };
}

type Scalar = (x: number) => number;

function scalarTransform({ name, transform }: Column): Scalar {
  switch (transform.kind) {
    case 'identity':
      return (x) => x;
    case 'standardise':
      return (x) => (x - transform.mean) / transform.std;
    case 'minmax': {
      const span = transform.max - transform.min;
      if (!(span > 0))
        throw new TributaryError(
          'plan-invalid',
          `features: column ${name} has minmax min ${transform.min} not below max ${transform.max}.`,
        );
      return (x) => (x - transform.min) / span;
    }
    case 'log1p':
      return (x) => Math.log1p(x);
    case 'onehot':
      throw new TributaryError('internal', 'A category is not a number.');
  }
}

function numeric({ name, missing }: Column, apply: Scalar): CellWriter {
  const substitute = missing === undefined ? undefined : readNumber(String(missing));
  if (missing !== undefined && substitute === undefined)
    throw new TributaryError(
      'plan-invalid',
      `features: column ${name} is a number, its "missing" is ${JSON.stringify(missing)}.`,
    );
  return (cell, row, at) => {
    const value = readNumber(cell) ?? substitute;
    if (value === undefined) return cell === '' ? 'is missing' : 'is not a finite decimal number';
    const result = Math.fround(apply(value));
    if (!Number.isFinite(result)) return 'has no finite value after the transform';
    row[at] = result;
    return undefined;
  };
}

/** `missing` stands in for an empty cell only: a category that the plan does not know is never replaced by it. */
function oneHot(
  categories: readonly string[],
  other: boolean,
  missing: string | number | undefined,
): CellWriter {
  const positions = new Map(categories.map((category, i) => [category, i]));
  return (cell, row, at) => {
    const category = cell === '' && !positions.has('') && missing !== undefined ? String(missing) : cell;
    const position = positions.get(category) ?? (other && category !== '' ? categories.length : undefined);
    if (position === undefined) return category === '' ? 'is missing' : 'is no category of the plan';
    row.fill(0, at, at + categories.length + (other ? 1 : 0));
    row[at + position] = 1;
    return undefined;
  };
}
