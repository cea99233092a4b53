/** Tables: one row of a CSV file is one example; only the chosen columns are held. */
import type { Features } from '@tributary/protocol';
import { classReader, columnsReader, numberReader, widthOf } from './cells.ts';
import { type CsvFile, readCsv } from './csv.ts';
import type { Dataset } from './dataset.ts';
import { growingRows } from './rows.ts';

type TableFeatures = Extract<Features, { kind: 'table' }>;

export async function loadTable(file: CsvFile, { columns, label }: TableFeatures): Promise<Dataset> {
  const rows = growingRows(widthOf(columns), file.path);
  const labels: number[] = [];
  await readCsv(file, (table) => {
    const readColumns = columnsReader(table, columns, rows);
    if (label.kind === 'features') return readColumns;
    const readLabel = label.kind === 'class' ? classReader(table, label) : numberReader(table, label);
    return (cells) => {
      readColumns(cells);
      labels.push(readLabel(cells));
    };
  });
  const features = rows.trimmed();
  return {
    rows: rows.count,
    shape: [rows.width],
    features,
    labels: label.kind === 'features' ? features : Float32Array.from(labels),
  };
}
