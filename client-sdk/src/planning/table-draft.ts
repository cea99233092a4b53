/** From a table to a plan: which columns enter, and how. */

import { chooseLabel, classesOf, type Described, type Label, labelTask } from './choose-label.ts';
import { sortedNames } from './choose-transform.ts';
import { roleOf } from './column-roles.ts';
import {
  type ColumnRow,
  classHead,
  type Draft,
  NUMBER_OUTPUT,
  type PlanningOptions,
  widthOf,
} from './draft.ts';
import { named, plural, sampleProblem, type Task } from './finding.ts';
import { inputsOf, reasonsOf } from './inputs.ts';
import { autoencoderNetwork, tableNetwork } from './networks.ts';
import { numberLabel } from './number-label.ts';
import type { TableSample } from './read-table.ts';
import { disclosure, labelFindings, sampleFindings, textFindings } from './sample-findings.ts';
import { seriesDraft } from './series-draft.ts';
import { textDraft } from './text-draft.ts';

/** @throws data-invalid, not-found, each naming what to pass */
export function tableDraft(sample: TableSample, options: PlanningOptions, name: string): Draft {
  const columns = sample.columns.map((stats) => ({ stats, role: roleOf(stats) }));
  requireSome(sample, columns);
  if (options.task === 'forecast' || options.time !== undefined)
    return seriesDraft(sample, columns, options, name);
  if (options.task === 'autoencode') return rebuild(sample, columns, options, name);
  const label = chooseLabel(sample, columns, options.label);
  const found = columns.find(({ stats }) => stats.name === label.name)!;
  const guessed = labelTask(sample.path, found);
  const others = columns.filter((column) => column !== found);
  const usable = others.some(({ role }) => role.kind === 'number' || role.kind === 'category');
  const texts = others.some(({ role }) => role.kind === 'text');
  if (options.task === 'text' || (options.task === undefined && !usable && texts))
    return textDraft(sample, columns, found, label, name);
  const task: { task: Task; why: string } = options.task
    ? { task: options.task, why: 'as --task says' }
    : guessed;
  return predict(sample, columns, found, label, task, name);
}

function predict(
  sample: TableSample,
  columns: readonly Described[],
  found: Described,
  label: Label,
  { task, why }: { task: Task; why: string },
  name: string,
): Draft {
  const { path, rows } = sample;
  if (task === 'regress' && found.stats.numbers === 0)
    throw sampleProblem(
      `${path}: the label ${named([label.name])} holds no numbers, so it cannot be a regression.`,
      'Pass --task classify, or --label with a column of numbers.',
    );
  const classes = task === 'classify' ? sortedNames(classesOf(path, found)) : undefined;
  const inputs = inputsOf(path, columns, found);
  const head = classes ? classHead(classes.length) : undefined;
  const width = widthOf(inputs.columns);
  const network = tableNetwork(width, rows, head?.output ?? NUMBER_OUTPUT);
  const number = numberLabel(label, found.stats);
  return {
    task,
    taskWhy: why,
    name,
    description: `Predicts ${label.name} from ${plural(inputs.columns.length, 'column')}.`,
    examples: rows,
    label,
    columns: withLabel(columns, inputs.rows, label),
    features: {
      kind: 'table',
      columns: [...inputs.columns],
      label: classes ? { name: label.name, kind: 'class', classes } : number.label,
    },
    network,
    net: /regression/.test(network.why) ? 'plain' : 'mlp',
    loss: head?.loss ?? 'meanSquaredError',
    metrics: head?.metrics ?? ['meanAbsoluteError'],
    findings: [
      ...sampleFindings(sample, columns),
      ...textFindings(path, columns, label.name),
      ...labelFindings(found, classes ? 'class' : 'number'),
      disclosure(
        classes
          ? 'names, ranges and categories'
          : "names, ranges, categories and the label's mean and spread",
      ),
    ],
    why: { ...reasonsOf(inputs), ...(classes ? { 'features.label': label.why } : number.why) },
  };
}

function rebuild(
  sample: TableSample,
  columns: readonly Described[],
  options: PlanningOptions,
  name: string,
): Draft {
  const label = columns.find(({ stats }) => stats.name === options.label);
  const inputs = inputsOf(sample.path, columns, label);
  const width = widthOf(inputs.columns);
  return {
    task: 'autoencode',
    taskWhy: 'as --task says',
    name,
    description: `Rebuilds ${plural(inputs.columns.length, 'column')} from a short code, to find unusual rows.`,
    examples: sample.rows,
    label: undefined,
    columns: inputs.rows,
    features: { kind: 'table', columns: [...inputs.columns], label: { kind: 'features' } },
    network: autoencoderNetwork([width], false),
    net: 'mlp',
    loss: 'meanSquaredError',
    metrics: ['meanAbsoluteError'],
    findings: [...sampleFindings(sample, columns), disclosure('names, ranges and categories')],
    why: { ...reasonsOf(inputs), 'features.label': 'the transformed columns themselves are to be rebuilt' },
  };
}

function withLabel(columns: readonly Described[], rows: readonly ColumnRow[], label: Label): ColumnRow[] {
  return columns.map(
    ({ stats }) =>
      rows.find(({ name }) => name === stats.name) ?? { name: stats.name, use: 'label', why: label.why },
  );
}

function requireSome({ path, rows }: TableSample, columns: readonly Described[]): void {
  if (columns.every(({ role }) => role.kind === 'empty'))
    throw sampleProblem(`${path}: every cell of its ${rows} rows is empty.`, 'Pass a sample with values.');
}
