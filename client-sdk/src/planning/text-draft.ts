/** One column of free text and a class for each row. */
import { classesOf, type Described, type Label } from './choose-label.ts';
import { sortedNames } from './choose-transform.ts';
import { type ColumnRow, classHead, type Draft } from './draft.ts';
import { named, sampleProblem } from './finding.ts';
import { textNetwork } from './networks.ts';
import type { TableSample } from './read-table.ts';
import { disclosure, labelFindings, sampleFindings } from './sample-findings.ts';

const LONGEST = 256;

/** @throws data-invalid when there is no text, or the label has no classes */
export function textDraft(
  sample: TableSample,
  columns: readonly Described[],
  found: Described,
  label: Label,
  name: string,
): Draft {
  const { path, rows } = sample;
  const [text, ...others] = columns
    .filter(
      ({ stats, role }) => stats !== found.stats && ['text', 'unusable', 'category'].includes(role.kind),
    )
    .filter(({ stats }) => stats.name !== '')
    .sort((a, b) => b.stats.words - a.stats.words);
  if (!text || text.stats.words < 2)
    throw sampleProblem(
      `${path} has no column of free text beside the label ${named([label.name])}.`,
      'Pass --task classify for columns of numbers and categories.',
    );
  const classes = sortedNames(classesOf(path, found));
  const head = classHead(classes.length);
  // Twice the mean holds most texts whole; the rest is cut.
  const length = Math.min(LONGEST, Math.max(8, 2 ** Math.ceil(Math.log2(2 * text.stats.words))));
  const buckets = rows < 20_000 ? 2000 : 10_000;
  const row = ({ stats, role }: Described): ColumnRow => {
    if (stats === text.stats) return { name: stats.name, use: 'input', transform: 'text', why: role.why };
    if (stats === found.stats) return { name: stats.name, use: 'label', why: label.why };
    return { name: stats.name, use: 'left out', why: 'a text plan learns from one column' };
  };
  return {
    task: 'text',
    taskWhy: `${named([text.stats.name])} is ${text.role.kind === 'text' ? text.role.why : 'the column with most words'}`,
    name,
    description: `Predicts ${label.name} from the words of ${text.stats.name}.`,
    examples: rows,
    label,
    columns: columns.map(row),
    features: {
      kind: 'text',
      column: text.stats.name,
      length,
      buckets,
      label: { name: label.name, kind: 'class', classes },
    },
    network: textNetwork(buckets, length, rows, head.output),
    net: 'embedding',
    loss: head.loss,
    metrics: head.metrics,
    findings: [
      ...sampleFindings(sample, columns),
      ...labelFindings(found, 'class'),
      disclosure('names of columns and classes'),
    ],
    why: {
      'features.column':
        others.length > 0
          ? 'the column with most words'
          : 'words are hashed: no vocabulary of the sample is told',
      'features.length': `words of one text; the mean is ${Math.round(text.stats.words)}, longer ones are cut`,
      'features.buckets':
        'different words may share one of these numbers; more of them make the update longer',
      'features.label': label.why,
    },
  };
}
