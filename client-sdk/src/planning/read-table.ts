/** A CSV sample as a stream: each column's statistics, never the whole file in memory. */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { csvProblem } from '../data/csv.ts';
import { readNumber } from '../data/transforms.ts';
import { type ColumnCollector, type ColumnStats, columnCollector } from './column-stats.ts';
import { named, sampleProblem } from './finding.ts';

/** Rows that a proposal looks at: more would not change it. */
export const MAX_SAMPLE_ROWS = 100_000;
const REPORT_EVERY = 5000;

export interface TableSample {
  readonly path: string;
  readonly delimiter: string;
  readonly columns: readonly ColumnStats[];
  readonly rows: number;
  /** There are more rows, which were not read. */
  readonly truncated: boolean;
}

/**
 * The rows of `path` behind its header, with the header. Cells are trimmed, as every partner's loader does.
 * @throws data-invalid
 */
export async function* readRecords(path: string, delimiter: string): AsyncGenerator<string[]> {
  const parser = parse({ delimiter, trim: true, skip_empty_lines: true, max_record_size: 4 * 1024 * 1024 });
  const input = Readable.from(readText(path));
  input.on('error', (error) => parser.destroy(error));
  try {
    yield* input.pipe(parser) as AsyncIterable<string[]>;
  } catch (thrown) {
    throw csvProblem(path, thrown);
  } finally {
    input.destroy();
  }
}

/** @throws data-invalid at the first bytes that are no UTF-8: a plan's categories would differ from the partners' */
async function* readText(path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 1;
  const decode = (bytes?: Buffer): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw sampleProblem(
        `${path} is not UTF-8 (near line ${lines}); it may be Windows-1252.`,
        'Convert it: iconv -f WINDOWS-1252 -t UTF-8 FILE > utf8.csv, and pass utf8.csv. Partners must do the same.',
      );
    }
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const text = decode(chunk);
    lines += text.split('\n').length - 1;
    yield text;
  }
  yield decode();
}

/** @param onRows told now and then how many rows were read */
export async function readTable(
  path: string,
  delimiter: string,
  onRows: (rows: number) => void = () => {},
): Promise<TableSample> {
  let collectors: ColumnCollector[] | undefined;
  let rows = 0;
  let truncated = false;
  for await (const cells of readRecords(path, delimiter)) {
    if (!collectors) {
      checkHeader(path, cells);
      collectors = cells.map(columnCollector);
      continue;
    }
    if (rows === MAX_SAMPLE_ROWS) {
      truncated = true;
      break;
    }
    for (const [at, collector] of collectors.entries()) collector.add(cells[at]!);
    rows += 1;
    if (rows % REPORT_EVERY === 0) onRows(rows);
  }
  if (!collectors)
    throw sampleProblem(`${path} holds nothing but empty lines.`, 'Pass a CSV file with rows.');
  if (rows === 0)
    throw sampleProblem(`${path} has a header and no rows.`, 'Pass a sample of at least a few dozen rows.');
  return { path, delimiter, columns: collectors.map((collector) => collector.stats()), rows, truncated };
}

function checkHeader(path: string, header: readonly string[]): void {
  if (header.length === 1)
    throw sampleProblem(
      `${path} has one column, ${named(header)}; a plan needs one to predict and one to predict it from.`,
      'Pass a file with more columns, separated by comma, semicolon or tab.',
    );
  const numbers = header.filter((cell) => readNumber(cell) !== undefined);
  if (numbers.length > header.length / 2)
    throw sampleProblem(
      `${path} has no header row: its first row holds ${named(numbers, 3)}.`,
      "Put a row with the columns' names first; every partner's file needs the same names.",
    );
  const twice = header.find((name, at) => name !== '' && header.indexOf(name) < at);
  if (twice !== undefined)
    throw sampleProblem(`${path} has two columns ${named([twice])}.`, 'Rename one of them.');
}
