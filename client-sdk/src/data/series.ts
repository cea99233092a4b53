/**
 * Series: a CSV file whose rows are in time order. One example is a window of consecutive rows and what the label's
 * column says `horizon` rows after it. Windows overlap, so rows are held once and examples only know where they begin.
 */
import type { Features } from '@tributary/protocol';
import { columnsReader, numberReader, widthOf } from './cells.ts';
import { type CsvFile, readCsv } from './csv.ts';
import type { Dataset, Windows } from './dataset.ts';
import { invalidData, quote } from './problems.ts';
import { growingRows } from './rows.ts';

type SeriesFeatures = Extract<Features, { kind: 'series' }>;

export async function loadSeries(file: CsvFile, features: SeriesFeatures): Promise<Dataset> {
  const { columns, window, horizon, group, label } = features;
  const rows = growingRows(widthOf(columns), file.path);
  const labels: number[] = [];
  /** Row numbers of each group, in the order in which the groups first appear. */
  const groups = new Map<string, number[]>();
  await readCsv(file, (table) => {
    const readColumns = columnsReader(table, columns, rows);
    const readLabel = numberReader(table, label);
    const position = group === undefined ? undefined : table.position(group);
    return (cells) => {
      const name = position === undefined ? '' : cells[position]!;
      if (name === '' && group !== undefined) throw table.refusal(group, name, 'is missing');
      const members = groups.get(name);
      if (members) members.push(rows.count);
      else groups.set(name, [rows.count]);
      readColumns(cells);
      labels.push(readLabel(cells));
    };
  });
  const members = [...groups.values()];
  const windows = windowsOf(
    members.map(({ length }) => length),
    features,
  );
  if (windows.starts.length === 0)
    throw invalidData(
      `${file.path} has no ${window + horizon} rows${group === undefined ? '' : ` of one ${quote(group)}`}, ` +
        `which a window of ${window} and its label ${horizon} later need.`,
    );
  const order = members.length > 1 ? members.flat() : undefined;
  return {
    rows: windows.starts.length,
    shape: [window, rows.width],
    features: arranged(rows.trimmed(), rows.width, order),
    labels: Float32Array.from(windows.starts, (start) => {
      const step = start + window - 1 + horizon;
      return labels[order ? order[step]! : step]!;
    }),
    windows,
  };
}

/** @param lengths steps of each group, which lie one after the other */
function windowsOf(lengths: readonly number[], { window, horizon, stride }: SeriesFeatures): Windows {
  const starts: number[] = [];
  const groups: number[] = [];
  let first = 0;
  for (const length of lengths) {
    const before = starts.length;
    for (let start = 0; start + window - 1 + horizon < length; start += stride) starts.push(first + start);
    groups.push(starts.length - before);
    first += length;
  }
  return { starts: Uint32Array.from(starts), groups, horizon };
}

/** The steps of `values` in this order. */
function arranged(values: Float32Array, width: number, order: readonly number[] | undefined): Float32Array {
  if (!order) return values;
  const sorted = new Float32Array(values.length);
  for (const [to, from] of order.entries())
    sorted.set(values.subarray(from * width, (from + 1) * width), to * width);
  return sorted;
}
