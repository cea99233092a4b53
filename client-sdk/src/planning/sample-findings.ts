/** What to say about a sample beside the plan that it leads to. */
import type { Described } from './choose-label.ts';
import { type Finding, finding, named } from './finding.ts';
import { rounded } from './nice-numbers.ts';
import { MAX_SAMPLE_ROWS, type TableSample } from './read-table.ts';
import { delimiterName } from './sniff.ts';

/** Fewer rows and nothing here is more than a guess. */
const FEW_ROWS = 50;
const UNEVEN = 0.9;

export function sampleFindings(sample: TableSample, columns: readonly Described[]): Finding[] {
  const found: Finding[] = [];
  const personal = columns.filter(({ role }) => role.kind === 'personal');
  if (personal.length > 0)
    found.push(
      finding(
        'warning',
        'personal-columns',
        `${named(personal.map(({ stats }) => stats.name))}: looks like personal identifiers, left out.`,
        'Look through the other columns as well: only the usual names and forms are known here.',
      ),
    );
  const commas = columns.filter(({ role }) => role.why.includes('hold a comma'));
  if (commas.length > 0)
    found.push(
      finding(
        'warning',
        'decimal-comma',
        `${named(commas.map(({ stats }) => stats.name))}: numbers with a comma cannot be read.`,
        'Write a decimal point, and nothing between thousands, in the sample and at every partner; then run `tributary plan init` again.',
      ),
    );
  if (sample.delimiter !== ',')
    found.push(
      finding(
        'note',
        'delimiter',
        `The cells of the sample are separated by a ${delimiterName(sample.delimiter)}.`,
        `A partner whose file is like it writes \`delimiter: ${JSON.stringify(sample.delimiter)}\` under data: in node.yaml.`,
      ),
    );
  if (sample.truncated)
    found.push(
      finding(
        'note',
        'truncated',
        `Only the first ${MAX_SAMPLE_ROWS.toLocaleString('en-US')} rows were looked at.`,
        'If the file is sorted, shuffle it: the rest may hold other values.',
      ),
    );
  if (sample.rows < FEW_ROWS)
    found.push(
      finding(
        'warning',
        'few-rows',
        `${sample.rows} rows are few: ranges and classes of the plan are guesses.`,
        'Pass a larger sample, or correct the plan by hand.',
      ),
    );
  return found;
}

/** A table leaves sentences out, and with them perhaps all that there is to learn. */
export function textFindings(path: string, columns: readonly Described[], label: string): Finding[] {
  const texts = columns.filter(({ role, stats }) => role.kind === 'text' && stats.name !== label);
  if (texts.length === 0) return [];
  return [
    finding(
      'warning',
      'text-left-out',
      `${named(texts.map(({ stats }) => stats.name))}: free text, which this plan leaves out.`,
      `To learn from the words instead: \`tributary plan init --data ${path} --label ${label} --task text\`.`,
    ),
  ];
}

/** Ranges, means and categories stand in the plan, and the plan goes to all partners. */
export function disclosure(what: string): Finding {
  return finding(
    'warning',
    'disclosure',
    `The plan holds ${what} of the sample, and every partner sees the plan.`,
    'Read it before you start a run; put publicly known limits in place of what must not be told.',
  );
}

export function labelFindings(label: Described, kind: 'class' | 'number'): Finding[] {
  const { stats } = label;
  const name = named([stats.name]);
  const found: Finding[] = [];
  if (label.role.kind === 'personal')
    found.push(
      finding(
        'warning',
        'personal-label',
        `The label ${name} ${label.role.why.replace('it looks', 'looks')}.`,
        'A model that predicts it tells of persons; choose another with --label.',
      ),
    );
  if (stats.empty + (kind === 'number' ? stats.markers : 0) > 0)
    found.push(
      finding(
        'warning',
        'label-missing',
        `${stats.empty + (kind === 'number' ? stats.markers : 0)} of ${stats.rows} rows have no label in ${name}; a node refuses such rows.`,
        'Every partner removes the rows without a label from its file.',
      ),
    );
  return kind === 'class' ? [...found, ...classFindings(label)] : found;
}

function classFindings({ stats }: Described): Finding[] {
  const counts = [...(stats.categories ?? [])].sort((a, b) => b[1] - a[1]);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  const [most] = counts;
  const found: Finding[] = [];
  if (most && most[1] / total > UNEVEN)
    found.push(
      finding(
        'warning',
        'uneven-classes',
        `${rounded((100 * most[1]) / total, 3)} % of the rows are ${named([most[0]])}: a model that always says so has that accuracy.`,
        'Judge the model by its loss, not by its accuracy.',
      ),
    );
  const rare = counts.filter(([, count]) => count < 5).map(([name]) => name);
  if (rare.length > 0)
    found.push(
      finding(
        'warning',
        'rare-classes',
        `Classes with fewer than 5 rows: ${named(rare)}.`,
        'Check that they are no typing errors; a class may also be so rare that it points to a person.',
      ),
    );
  return found;
}
