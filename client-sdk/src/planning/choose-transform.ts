/** A column's transform. The same constants at every partner, so none is taken from a partner's own rows. */
import type { Column } from '@tributary/protocol';
import type { ColumnStats } from './column-stats.ts';
import { publicRange, publicScale, rounded } from './nice-numbers.ts';

export interface ColumnChoice {
  readonly column: Column;
  readonly why: string;
}

/** (max - min) / std: about 6.5 for 500 normal values and 9 for 100,000; beyond, single values press the rest together. */
const WIDE = 10;
/** max / median of values that are never negative. */
const HEAVY_TAIL = 20;
/** log(1 + x) bends nothing below. */
const LOG_FROM = 50;
/** A value of fewer rows can point to a person, and teaches little. */
const RARE = 5;
const MOST_CATEGORIES = 50;
/** Characters, as the schema of plans says. */
const LONGEST_CATEGORY = 200;
/** Stands for an empty cell, and is no category: it counts as "other". */
const MISSING_WORD = '(missing)';

export function numberColumn(stats: ColumnStats): ColumnChoice {
  const { name, min, max, median, mean, std } = stats;
  const holes = stats.rows - stats.numbers;
  const missing = holes === 0 ? {} : { missing: rounded(median) };
  const gaps =
    holes === 0
      ? ''
      : `; ${holes} of ${stats.rows} cells hold no number: the median ${rounded(median)} stands in`;
  const choice = (transform: Column['transform'], why: string): ColumnChoice => ({
    column: { name, transform, ...missing },
    why: `${why}${gaps}`,
  });
  if (min >= 0 && max <= 1 && max > 0.2) return choice({ kind: 'identity' }, 'lies within 0 to 1 already');
  if (min >= 0 && max > LOG_FROM && max > HEAVY_TAIL * median)
    return choice(
      { kind: 'log1p' },
      `a long tail: the largest value is far above the median ${rounded(median)}`,
    );
  if ((max - min) / std > WIDE)
    return choice(
      { kind: 'standardise', ...publicScale(mean, std) },
      'a few values lie far out: by mean and spread of the sample, rounded',
    );
  const range = publicRange(min, max);
  return choice(
    { kind: 'minmax', ...range },
    `${range.min} to ${range.max}: what the sample holds, rounded outwards`,
  );
}

/** Undefined when no value is frequent enough. */
export function categoryColumn(stats: ColumnStats): ColumnChoice | undefined {
  const rare = stats.rows >= 100 ? RARE : 2;
  const counted = [...(stats.categories ?? [])].filter(
    ([category, count]) => count >= rare && category.length <= LONGEST_CATEGORY,
  );
  const kept = counted.sort((a, b) => b[1] - a[1]).slice(0, MOST_CATEGORIES);
  if (kept.length === 0) return undefined;
  // By name: an order by frequency would tell partners how the sample is made up.
  const categories = sortedNames(kept.map(([category]) => category));
  const left = (stats.categories?.size ?? 0) - kept.length;
  const notes = [`${categories.length} categories, any other value is "other"`];
  if (left > 0)
    notes.push(`${left} that fewer than ${rare} rows have, or beyond ${MOST_CATEGORIES}, left out`);
  if (stats.empty > 0) notes.push(`${stats.empty} of ${stats.rows} cells are empty: they count as "other"`);
  return {
    column: {
      name: stats.name,
      transform: { kind: 'onehot', categories, other: true },
      ...(stats.empty > 0 ? { missing: MISSING_WORD } : {}),
    },
    why: notes.join('; '),
  };
}

/** Numbers by size, words by code point, the same on every machine. */
export function sortedNames(names: readonly string[]): string[] {
  const numeric = names.every((name) => name !== '' && Number.isFinite(Number(name)));
  return [...names].sort((a, b) => (numeric ? Number(a) - Number(b) : a < b ? -1 : 1));
}
