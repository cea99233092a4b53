/** A sample against a plan: what a partner's node would refuse, all of it at once, where a node stops at the first. */
import { stat } from 'node:fs/promises';
import { ERRORS, type Features, type Plan, TributaryError } from '@tributary/protocol';
import type { DataSource, Dataset } from '../data/dataset.ts';
import { loadDataset } from '../data/load.ts';
import { fileProblem } from '../data/problems.ts';
import { compileColumn, readNumber } from '../data/transforms.ts';
import { type Finding, finding, named } from './finding.ts';
import { readIdxImages, readImageFolder } from './image-sample.ts';
import { readRecords } from './read-table.ts';
import { sniff } from './sniff.ts';

export interface CheckedSample {
  readonly source: DataSource;
  /** Missing when the sample does not fit. */
  readonly dataset: Dataset | undefined;
  readonly findings: readonly Finding[];
}

/** @throws data-invalid when the file cannot be read at all */
export async function checkSample(plan: Plan, path: string): Promise<CheckedSample> {
  const source = await sourceOf(path);
  const { features } = plan;
  const found = source.kind === 'csv' && 'columns' in features ? await cellFindings(source, features) : [];
  if (found.some(({ level }) => level === 'error')) return { source, dataset: undefined, findings: found };
  try {
    return { source, dataset: await loadDataset(source, features, ''), findings: found };
  } catch (thrown) {
    if (!(thrown instanceof TributaryError)) throw thrown;
    // What the error table says is meant for a node's own data.
    const general = thrown.remedy === ERRORS[thrown.code].remedy;
    const remedy = general
      ? 'Correct the sample, or the plan; every partner has to do the same.'
      : thrown.remedy;
    const refusal = finding('error', 'sample', thrown.message, remedy);
    return { source, dataset: undefined, findings: [...found, refusal] };
  }
}

async function sourceOf(path: string): Promise<DataSource> {
  const found = await stat(path).catch((thrown) => {
    throw fileProblem(path, thrown);
  });
  if (found.isDirectory()) return (await readImageFolder(path)).source;
  const kind = await sniff(path);
  if (kind.kind === 'idx') return (await readIdxImages(path)).source;
  return { kind: 'csv', path, delimiter: kind.delimiter };
}

type Columns = Extract<Features, { kind: 'table' | 'series' }>;

interface Check {
  readonly name: string;
  readonly position: number;
  /** What is wrong with the cell, in words. */
  problem(cell: string): string | undefined;
}

interface Fault {
  count: number;
  readonly firstRow: number;
  readonly example: string;
}

/** Counts each kind of fault in each column. */
async function cellFindings(
  source: Extract<DataSource, { kind: 'csv' }>,
  features: Columns,
): Promise<Finding[]> {
  let checks: Check[] | undefined;
  const faults = new Map<string, Fault>();
  let row = 0;
  for await (const cells of readRecords(source.path, source.delimiter ?? ',')) {
    if (!checks) {
      const missing = wantedColumns(features).filter((name) => !cells.includes(name));
      if (missing.length > 0) return [missingFinding(missing, cells)];
      checks = checksOf(features, cells);
      continue;
    }
    row += 1;
    for (const check of checks) {
      const cell = cells[check.position]!;
      const problem = check.problem(cell);
      if (problem === undefined) continue;
      const key = `column ${named([check.name])}: %s ${problem}`;
      const fault = faults.get(key);
      if (fault) fault.count += 1;
      else faults.set(key, { count: 1, firstRow: row, example: cell });
    }
  }
  return [...faults].map(([key, { count, firstRow, example }]) =>
    finding(
      'error',
      'sample-cells',
      `${key.replace('%s', named([example.slice(0, 40)]))}: ${count} of ${row} rows, the first is row ${firstRow}.`,
      /is missing/.test(key)
        ? 'Give the column a `missing` value in the plan, or remove these rows.'
        : 'Correct the cells, or the column in the plan.',
    ),
  );
}

function wantedColumns({ columns, label }: Columns): string[] {
  return [...columns.map(({ name }) => name), ...('name' in label ? [label.name] : [])];
}

function missingFinding(missing: readonly string[], header: readonly string[]): Finding {
  return finding(
    'error',
    'sample-columns',
    `The sample has no column ${named(missing)}, which the plan wants.`,
    `It has ${named(header)}; correct the plan or the header.`,
  );
}

function checksOf({ columns, label }: Columns, header: readonly string[]): Check[] {
  const checks = columns.map((column): Check => {
    const { name, width, write } = compileColumn(column);
    const scratch = new Float32Array(width);
    return { name, position: header.indexOf(name), problem: (cell) => write(cell, scratch, 0) };
  });
  if (label.kind === 'features') return checks;
  const position = header.indexOf(label.name);
  if (label.kind === 'number')
    return [
      ...checks,
      {
        name: label.name,
        position,
        problem: (cell) => (readNumber(cell) === undefined ? 'is not a number' : undefined),
      },
    ];
  const classes = new Set(label.classes);
  return [
    ...checks,
    {
      name: label.name,
      position,
      problem: (cell) => (classes.has(cell) ? undefined : 'is no class of the plan'),
    },
  ];
}
