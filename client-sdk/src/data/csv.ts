/** CSV with a header row (RFC 4180, UTF-8), read as a stream: nobody but its reader holds a row. */
import { createReadStream } from 'node:fs';
import { TributaryError } from '@tributary/protocol';
import { CsvError, parse } from 'csv-parse';
import { fileProblem, invalidData, quote } from './problems.ts';

export interface CsvFile {
  readonly path: string;
  readonly delimiter?: string | undefined;
}

/** The header, and the row that is being read. */
export interface CsvTable {
  readonly path: string;
  /** @throws data-invalid unless exactly one column has this name */
  position(column: string): number;
  /** Names file, row (counted from 1 behind the header), column and the one offending value. */
  refusal(column: string, cell: string, problem: string): TributaryError;
}

export type RowReader = (cells: readonly string[]) => void;

/** Characters of one record: 10,000 columns of long numbers; a quote left open stops here. */
const MAX_RECORD = 4 * 1024 * 1024;

/**
 * @param begin is given the header and returns what takes one row after the other
 * @throws data-invalid, also for a file without rows; whatever `begin` and the reader throw
 */
export async function readCsv(
  { path, delimiter = ',' }: CsvFile,
  begin: (table: CsvTable) => RowReader,
): Promise<void> {
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter))
    throw invalidData(`The delimiter must be one character, got ${quote(delimiter)}.`);
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
  let row = 0;
  let read: RowReader | undefined;
  try {
    for await (const cells of input.pipe(parser) as AsyncIterable<string[]>) {
      if (read) {
        row += 1;
        read(cells);
      } else read = begin(tableOf(path, cells, () => row));
    }
  } catch (thrown) {
    throw csvProblem(path, thrown);
  } finally {
    input.destroy();
  }
  if (row === 0) throw invalidData(`${path} holds no rows behind its header.`);
}

function tableOf(path: string, header: readonly string[], row: () => number): CsvTable {
  return {
    path,
    position(column) {
      const position = header.indexOf(column);
      if (position < 0) throw invalidData(`${path} has no column ${quote(column)}, which the plan wants.`);
      if (header.indexOf(column, position + 1) >= 0)
        throw invalidData(`${path} has two columns ${quote(column)}; rename one.`);
      return position;
    },
    refusal: (column, cell, problem) =>
      invalidData(`${path}: row ${row()}, column ${quote(column)}: ${quote(cell)} ${problem}.`),
  };
}

const PARSER_PROBLEMS: Partial<Record<CsvError['code'], string>> = {
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: 'has another number of cells than the header',
  CSV_QUOTE_NOT_CLOSED: 'is in a quoted cell that never ends',
  CSV_INVALID_CLOSING_QUOTE: 'has text behind a closing quote',
  INVALID_OPENING_QUOTE: 'has a quote within an unquoted cell',
  CSV_MAX_RECORD_SIZE: 'is longer than a record may be',
};

/** The parser's own message and fields hold whole records: only its code and line number go on. */
export function csvProblem(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof CsvError) || thrown instanceof TributaryError) return fileProblem(path, thrown);
  const line = typeof thrown.lines === 'number' ? thrown.lines : '?';
  return invalidData(
    `${path}: line ${line} ${PARSER_PROBLEMS[thrown.code] ?? `cannot be read (${thrown.code})`}.`,
  );
}
