/** From the cells of a CSV row to the values that a plan declares. */
import type { Column } from '@tributary/protocol';
import type { CsvTable } from './csv.ts';
import type { GrowingRows } from './rows.ts';
import { compileColumn, readNumber } from './transforms.ts';

type Cells = readonly string[];

/** Values that these columns become. @throws plan-invalid */
export function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + compileColumn(column).width, 0);
}

/** Writes the columns of a row, in the plan's order, into the next place of `rows`. */
export function columnsReader(
  table: CsvTable,
  columns: readonly Column[],
  rows: GrowingRows,
): (cells: Cells) => void {
  const placed = columns.map((column) => ({
    ...compileColumn(column),
    position: table.position(column.name),
  }));
  return (cells) => {
    let at = rows.add();
    for (const { name, width, position, write } of placed) {
      const cell = cells[position]!;
      const problem = write(cell, rows.values, at);
      if (problem) throw table.refusal(name, cell, problem);
      at += width;
    }
  };
}

/** The index of the cell among `classes`. */
export function classReader(
  table: CsvTable,
  label: { readonly name: string; readonly classes: readonly string[] },
): (cells: Cells) => number {
  const position = table.position(label.name);
  const indices = new Map(label.classes.map((name, i) => [name, i]));
  return (cells) => {
    const cell = cells[position]!;
    const index = indices.get(cell);
    if (index === undefined) throw table.refusal(label.name, cell, 'is no class of the plan');
    return index;
  };
}

/** (y - mean) / std, which float32 can hold. */
export function numberReader(
  table: CsvTable,
  label: { readonly name: string; readonly mean?: number; readonly std?: number },
): (cells: Cells) => number {
  const { name, mean = 0, std = 1 } = label;
  const position = table.position(name);
  return (cells) => {
    const cell = cells[position]!;
    const value = Math.fround(((readNumber(cell) ?? Number.NaN) - mean) / std);
    if (!Number.isFinite(value)) throw table.refusal(name, cell, 'is not a number');
    return value;
  };
}
