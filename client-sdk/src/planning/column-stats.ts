/** What one column of a sample holds, gathered cell by cell in constant memory. */
import { readNumber } from '../data/transforms.ts';
import { type Random, seededRandom } from '../trainer/training/random.ts';

/** More values than this and a column has no categories any more. */
const MAX_CATEGORIES = 1000;
/** Numbers kept for the median. */
const RESERVOIR = 1000;

/** What people write into a column of numbers where there is none. */
const MARKERS = new Set(['na', 'n/a', 'nan', 'null', 'none', '?', '-', '--', '.', '#n/a', 'missing']);
const DATES = [
  /^\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?$/,
  /^\d{1,2}[./-]\d{1,2}[./-](\d{2}|\d{4})( \d{1,2}:\d{2}(:\d{2})?)?$/,
  /^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$/,
];
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
/** 1,5 and 1,234,567.50; nobody can tell whether 1,234 is more than a thousand. */
const WITH_COMMA = /^[+-]?(\d+,\d+|\d{1,3}(,\d{3})+(\.\d*)?)$/;

export interface ColumnStats {
  readonly name: string;
  readonly rows: number;
  readonly empty: number;
  /** Words such as NA or ?. */
  readonly markers: number;
  readonly numbers: number;
  readonly dates: number;
  readonly emails: number;
  readonly uuids: number;
  readonly commas: number;
  /** Of the numbers; NaN where there is none. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
  readonly median: number;
  readonly integers: boolean;
  /** Each number larger than the one before. */
  readonly increasing: boolean;
  /** No cell comes before the one above it as text, as dates do that begin with the year. */
  readonly sorted: boolean;
  /** Runs of equal values: as many as categories where equal values lie together. */
  readonly blocks: number;
  /** Undefined when there are more than `MAX_CATEGORIES`. Empty cells are no category. */
  readonly categories: ReadonlyMap<string, number> | undefined;
  /** No value came twice, as far as was counted. */
  readonly allDistinct: boolean;
  /** Mean words of a cell that is not empty. */
  readonly words: number;
}

export interface ColumnCollector {
  add(cell: string): void;
  stats(): ColumnStats;
}

export function columnCollector(name: string): ColumnCollector {
  const counts = {
    rows: 0,
    empty: 0,
    markers: 0,
    numbers: 0,
    dates: 0,
    emails: 0,
    uuids: 0,
    commas: 0,
  };
  const numbers = numberCollector();
  let categories: Map<string, number> | undefined = new Map();
  let allDistinct = true;
  let words = 0;
  let above = '';
  let sorted = true;
  let blocks = 0;

  function addText(cell: string): void {
    if (MARKERS.has(cell.toLowerCase())) counts.markers += 1;
    else if (DATES.some((date) => date.test(cell))) counts.dates += 1;
    else if (EMAIL.test(cell)) counts.emails += 1;
    else if (UUID.test(cell)) counts.uuids += 1;
    else if (WITH_COMMA.test(cell)) counts.commas += 1;
  }

  return {
    add(cell) {
      counts.rows += 1;
      if (cell === '') {
        counts.empty += 1;
        return;
      }
      words += cell.split(/\s+/).length;
      sorted &&= cell >= above;
      if (cell !== above) blocks += 1;
      above = cell;
      const value = readNumber(cell);
      if (value === undefined) addText(cell);
      else {
        counts.numbers += 1;
        numbers.add(value);
      }
      if (!categories) return;
      const count = categories.get(cell) ?? 0;
      if (count > 0) allDistinct = false;
      categories.set(cell, count + 1);
      if (categories.size > MAX_CATEGORIES) categories = undefined;
    },
    stats: () => ({
      name,
      ...counts,
      ...numbers.stats(),
      sorted,
      blocks,
      categories,
      allDistinct: allDistinct && counts.rows - counts.empty > 1,
      words: words / Math.max(1, counts.rows - counts.empty),
    }),
  };
}

/** Welford's mean and variance; the median of a reservoir drawn with a fixed seed, so that a sample gives one plan. */
function numberCollector() {
  const random: Random = seededRandom(Uint8Array.of(1, 2, 3, 4));
  const kept: number[] = [];
  let count = 0;
  let mean = 0;
  let squares = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  let integers = true;
  let increasing = true;
  return {
    add(value: number): void {
      count += 1;
      const difference = value - mean;
      mean += difference / count;
      squares += difference * (value - mean);
      min = Math.min(min, value);
      max = Math.max(max, value);
      integers &&= Number.isInteger(value);
      increasing &&= value > last;
      last = value;
      if (kept.length < RESERVOIR) kept.push(value);
      else {
        const at = random.below(count);
        if (at < RESERVOIR) kept[at] = value;
      }
    },
    stats() {
      const none = count === 0;
      const sorted = [...kept].sort((a, b) => a - b);
      const middle = sorted.length / 2;
      const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
      return {
        min: none ? Number.NaN : min,
        max: none ? Number.NaN : max,
        mean: none ? Number.NaN : mean,
        std: none ? Number.NaN : Math.sqrt(squares / count),
        median: none ? Number.NaN : median,
        integers: integers && !none,
        increasing: increasing && count > 1,
      };
    },
  };
}
