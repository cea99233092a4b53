/** Tables whose rows are in time order: windows of rows predict what comes next. */
import { chooseLabel, type Described, type Label } from './choose-label.ts';
import type { ColumnRow, Draft, PlanningOptions } from './draft.ts';
import { widthOf } from './draft.ts';
import { type Finding, finding, named, sampleProblem } from './finding.ts';
import { inputsOf, reasonsOf } from './inputs.ts';
import { seriesNetwork } from './networks.ts';
import { numberLabel } from './number-label.ts';
import type { TableSample } from './read-table.ts';
import { disclosure, sampleFindings } from './sample-findings.ts';

/** Rows of one window: a day of hours, or less where the sample is short. */
const WINDOW = 24;
const LEAST_ROWS = 20;

/** @throws data-invalid, not-found */
export function seriesDraft(
  sample: TableSample,
  columns: readonly Described[],
  options: PlanningOptions,
  name: string,
): Draft {
  const { path, rows } = sample;
  if (rows < LEAST_ROWS)
    throw sampleProblem(
      `${path} has ${rows} rows, a forecast needs ${LEAST_ROWS} or more.`,
      'Pass a longer series.',
    );
  const time = timeColumn(path, columns, options.time);
  const rest = columns.filter((column) => column !== time);
  const label = labelOf(sample, rest, options.label);
  const found = rest.find(({ stats }) => stats.name === label.name)!;
  if (found.stats.numbers === 0)
    throw sampleProblem(
      `${path}: ${named([label.name])} holds no numbers, so it cannot be forecast.`,
      'Pass --label with a column of numbers.',
    );
  const { group, findings } = orderOf(path, time, rest);
  const inputs = inputsOf(
    path,
    rest.filter((column) => column !== group),
    undefined,
    new Set(['number']),
  );
  const window = rows >= 20 * WINDOW ? WINDOW : Math.max(2, Math.floor(rows / 20));
  const examples = rows - window;
  const network = seriesNetwork(window, widthOf(inputs.columns), examples);
  const number = numberLabel(label, found.stats);
  return {
    task: 'forecast',
    taskWhy: options.task ? 'as --task says' : `${named([time?.stats.name ?? ''])} tells the time`,
    name,
    description: `Forecasts ${label.name} one row ahead from the ${window} rows before.`,
    examples,
    label,
    columns: columns.map((column) => rowOf(column, inputs.rows, time, group, label)),
    features: {
      kind: 'series',
      columns: [...inputs.columns],
      window,
      horizon: 1,
      stride: 1,
      ...(group ? { group: group.stats.name } : {}),
      label: number.label,
    },
    network,
    net: 'recurrent',
    loss: 'meanSquaredError',
    metrics: ['meanAbsoluteError'],
    findings: [
      ...sampleFindings(sample, columns),
      ...findings,
      ...(found.stats.numbers < rows
        ? [
            finding(
              'warning',
              'label-missing',
              `${rows - found.stats.numbers} of ${rows} rows have no number in ${named([label.name])}; a node refuses such rows.`,
              'Every partner fills the gaps or removes the rows.',
            ),
          ]
        : []),
      disclosure("names, ranges and the label's mean and spread"),
    ],
    why: {
      ...reasonsOf(inputs),
      'features.window': 'rows in time order that one example sees',
      'features.horizon': 'rows from the last one of the window to the one that is forecast',
      ...number.why,
      ...(group ? { 'features.group': 'a guess: no window crosses from one value to the next' } : {}),
    },
  };
}

/** @returns undefined when rows are only known to be in order. */
function timeColumn(path: string, columns: readonly Described[], given: string | undefined) {
  if (given === undefined)
    return (
      columns.find(({ role }) => role.kind === 'date') ??
      columns.find(
        ({ stats, role }) => stats.increasing && role.kind !== 'empty' && stats.numbers === stats.rows,
      )
    );
  const found = columns.find(({ stats }) => stats.name === given);
  if (!found)
    throw sampleProblem(
      `${path} has no column ${named([given])}.`,
      `Pass --time with one of ${named(columns.map(({ stats }) => stats.name))}.`,
    );
  return found;
}

function labelOf(sample: TableSample, columns: readonly Described[], given: string | undefined): Label {
  const numbers = columns.filter(({ role }) => role.kind === 'number');
  const [only] = numbers;
  if (given === undefined && numbers.length === 1 && only)
    return { name: only.stats.name, why: 'the only column of numbers' };
  return chooseLabel(sample, given === undefined ? numbers : columns, given);
}

/** Rows out of order may be several series one after the other. */
function orderOf(
  path: string,
  time: Described | undefined,
  columns: readonly Described[],
): { group: Described | undefined; findings: Finding[] } {
  const unordered = (group: Described | undefined, remedy: string) => ({
    group,
    findings: [
      finding(
        'warning',
        'time-order',
        `${path}: the rows are not in the order of ${named([time!.stats.name])}.`,
        remedy,
      ),
    ],
  });
  if (!time)
    return {
      group: undefined,
      findings: [
        finding(
          'warning',
          'no-time',
          'No column tells the time; the rows are taken to be in time order.',
          "Make sure that every partner's rows are, or name the column with --time.",
        ),
      ],
    };
  if (time.stats.increasing || (time.stats.numbers === 0 && time.stats.sorted))
    return { group: undefined, findings: [] };
  // One series after the other: the rows of each lie together.
  const groups = columns.filter(
    ({ role, stats }) => role.kind === 'category' && stats.blocks === stats.categories?.size,
  );
  return groups.length === 1
    ? unordered(
        groups[0],
        `It is taken for one series per ${named([groups[0]!.stats.name])}; sort by that column, then by time.`,
      )
    : unordered(
        undefined,
        'Sort the file by time, at every partner; several series need `group: COLUMN` under features.',
      );
}

function rowOf(
  { stats }: Described,
  rows: readonly ColumnRow[],
  time: Described | undefined,
  group: Described | undefined,
  label: Label,
): ColumnRow {
  if (stats === time?.stats) return { name: stats.name, use: 'time', why: 'the order of the rows' };
  if (stats === group?.stats) return { name: stats.name, use: 'group', why: 'one series for each value' };
  const row = rows.find(({ name }) => name === stats.name)!;
  return stats.name === label.name
    ? { ...row, use: 'label', why: `${label.why}; its past is an input: ${row.why}` }
    : row;
}
