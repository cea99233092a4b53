/** Tables: CSV with a header row (RFC 4180, UTF-8), read as a stream, so that only the chosen columns are held. */
import { createReadStream } from 'node:fs';
import { type Features, TributaryError } from '@tributary/protocol';
import { CsvError, parse } from 'csv-parse';
import type { Dataset } from './dataset.ts';
import { fileProblem, invalidData, MAX_FLOATS, quote, requireRoom } from './problems.ts';
import { type CompiledColumn, compileColumn, readNumber } from './transforms.ts';

type TableFeatures = Extract<Features, { kind: 'table' }>;

/** Characters of one record: 10,000 columns of long numbers; a quote left open stops here. */
const MAX_RECORD = 4 * 1024 * 1024;

/** Rows are counted from 1 behind the header row. */
export async function loadCsv(path: string, features: TableFeatures, delimiter = ','): Promise<Dataset> {
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter))
    throw invalidData(`The delimiter must be one character, got ${quote(delimiter)}.`);
  const columns = features.columns.map(compileColumn);
  const input = createReadStream(path);
  const parser = parse({
    bom: true,
    delimiter,
    trim: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD,
  });
  // A stream does not hand its faults on by itself, and an unhandled one would end the process.
  input.on('error', (error) => parser.destroy(error));
  const rows = new Rows(
    columns.reduce((sum, column) => sum + column.width, 0),
    path,
  );
  let writeRow: ((cells: readonly string[], rows: Rows) => void) | undefined;
  try {
    for await (const cells of input.pipe(parser) as AsyncIterable<string[]>) {
      if (writeRow) writeRow(cells, rows);
      else writeRow = rowWriter(cells, columns, features.label, path);
    }
  } catch (thrown) {
    throw csvProblem(path, thrown);
  } finally {
    input.destroy();
  }
  if (rows.count === 0) throw invalidData(`${path} holds no rows behind its header.`);
  return rows.toDataset();
}

function rowWriter(
  header: readonly string[],
  columns: readonly CompiledColumn[],
  label: TableFeatures['label'],
  path: string,
) {
  const positions = columns.map((column) => positionOf(column.name, header, path));
  const labelPosition = positionOf(label.name, header, path);
  const readLabel = labelReader(label);
  return (cells: readonly string[], rows: Rows): void => {
    const refuse = (name: string, cell: string, problem: string) =>
      invalidData(`${path}: row ${rows.count + 1}, column ${quote(name)}: ${quote(cell)} ${problem}.`);
    const at = rows.next();
    let offset = at;
    for (const [i, column] of columns.entries()) {
      const cell = cells[positions[i]!]!;
      const problem = column.write(cell, rows.features, offset);
      if (problem) throw refuse(column.name, cell, problem);
      offset += column.width;
    }
    const cell = cells[labelPosition]!;
    const value = readLabel(cell);
    if (value === undefined)
      throw refuse(label.name, cell, label.kind === 'class' ? 'is no class of the plan' : 'is not a number');
    rows.commit(value);
  };
}

function positionOf(name: string, header: readonly string[], path: string): number {
  const position = header.indexOf(name);
  if (position < 0) throw invalidData(`${path} has no column ${quote(name)}, which the plan wants.`);
  if (header.indexOf(name, position + 1) >= 0)
    throw invalidData(`${path} has two columns ${quote(name)}; rename one.`);
  return position;
}

function labelReader(label: TableFeatures['label']): (cell: string) => number | undefined {
  if (label.kind === 'class') {
    const indices = new Map(label.classes.map((name, i) => [name, i]));
    return (cell) => indices.get(cell);
  }
  return (cell) => {
    const value = readNumber(cell);
    return value !== undefined && Number.isFinite(Math.fround(value)) ? value : undefined;
  };
}

/** Rows of a number not known before: the buffer doubles. */
class Rows {
  readonly width: number;
  readonly path: string;
  features: Float32Array;
  readonly labels: number[] = [];

  constructor(width: number, path: string) {
    this.width = width;
    this.path = path;
    this.features = new Float32Array(width);
  }

  get count(): number {
    return this.labels.length;
  }

  /** Makes room for one row and returns where it starts. */
  next(): number {
    const at = this.count * this.width;
    if (at + this.width > this.features.length) {
      requireRoom(this.count + 1, this.width, this.path);
      const larger = new Float32Array(Math.min(2 * this.features.length, MAX_FLOATS));
      larger.set(this.features);
      this.features = larger;
    }
    return at;
  }

  commit(label: number): void {
    this.labels.push(label);
  }

  toDataset(): Dataset {
    return {
      rows: this.count,
      shape: [this.width],
      features: this.features.slice(0, this.count * this.width),
      labels: Float32Array.from(this.labels),
    };
  }
}

const PARSER_PROBLEMS: Partial<Record<CsvError['code'], string>> = {
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: 'has another number of cells than the header',
  CSV_QUOTE_NOT_CLOSED: 'is in a quoted cell that never ends',
  CSV_INVALID_CLOSING_QUOTE: 'has text behind a closing quote',
  INVALID_OPENING_QUOTE: 'has a quote within an unquoted cell',
  CSV_MAX_RECORD_SIZE: 'is longer than a record may be',
};

/** The parser's own message and fields hold whole records: only its code and line number go on. */
function csvProblem(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof CsvError) || thrown instanceof TributaryError) return fileProblem(path, thrown);
  const line = typeof thrown.lines === 'number' ? thrown.lines : '?';
  return invalidData(
    `${path}: line ${line} ${PARSER_PROBLEMS[thrown.code] ?? `cannot be read (${thrown.code})`}.`,
  );
}
