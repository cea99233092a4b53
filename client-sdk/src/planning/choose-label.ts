/** Which column is to be predicted, and what kind of task that makes; guessed only where one guess stands out. */
import { TributaryError } from '@tributary/protocol';
import type { Role } from './column-roles.ts';
import type { ColumnStats } from './column-stats.ts';
import { named, sampleProblem, type Task } from './finding.ts';
import { wordsOf } from './personal.ts';
import type { TableSample } from './read-table.ts';

export interface Described {
  readonly stats: ColumnStats;
  readonly role: Role;
}

export interface Label {
  readonly name: string;
  readonly why: string;
}

/** Names that people give to what they want to predict, the plainest first. */
const TARGET_NAMES = [
  /^(label|target|class|y|outcome|output|result|response|ground truth|dependent variable)s?$/,
  /\b(label|target|class|outcome|diagnosis|prognosis|species|survived|survival|churn|churned|default|defaulted|fraud|readmitted|quality|sentiment|rating|price|income|risk|grade|category)\b/,
];
/** More values of a number, and it is a quantity and no class. */
const CLASSES_OF_NUMBERS = 10;
const MOST_CLASSES = 200;

/** @throws not-found when there is no column of that name, data-invalid when none or several could be meant */
export function chooseLabel(
  sample: TableSample,
  columns: readonly Described[],
  given: string | undefined,
): Label {
  if (given !== undefined) {
    if (columns.some(({ stats }) => stats.name === given)) return { name: given, why: 'as --label says' };
    throw new TributaryError('not-found', `${sample.path} has no column ${named([given])}.`, {
      remedy: `Pass --label with one of ${named(columns.map(({ stats }) => stats.name))}.`,
    });
  }
  const possible = columns.filter(({ stats, role }) => isPossible(stats, role));
  for (const pattern of TARGET_NAMES) {
    const found = possible.filter(({ stats }) => pattern.test(wordsOf(stats.name)));
    if (found.length === 1)
      return { name: found[0]!.stats.name, why: 'a guess: its name says that it is to be predicted' };
    if (found.length > 1) break;
  }
  const classes = possible.filter(({ stats, role }) => role.kind === 'category' || isFlag(stats));
  const last = columns.at(-1)?.stats.name;
  if (classes.length === 1 && classes[0]!.stats.name === last)
    return { name: last, why: 'a guess: the last column, and the only one that holds classes' };
  if (possible.length === 0)
    throw sampleProblem(
      `${sample.path} has no column that could be predicted: ${columns
        .slice(0, 5)
        .map(({ stats, role }) => `${named([stats.name])} (${role.why})`)
        .join(', ')}.`,
      'Pass a sample with a column of classes or numbers, and name it with --label COLUMN.',
    );
  const candidates = (classes.length > 0 ? classes : possible).map(({ stats }) => stats.name);
  const has = (kind: Role['kind']) => columns.some(({ role }) => role.kind === kind);
  const tasks = [
    has('date') ? 'For rows in time order: --task forecast --label COLUMN. ' : '',
    has('text') ? 'To learn from free text: --task text --label COLUMN. ' : '',
  ].join('');
  throw sampleProblem(
    `${sample.path} does not tell which column is to be predicted.`,
    `Pass --label COLUMN; it may be ${named(candidates)}. ${tasks}For what has no label: --task autoencode.`,
  );
}

function isPossible(stats: ColumnStats, { kind }: Role): boolean {
  return (kind === 'category' || kind === 'number') && (stats.categories?.size ?? 2) > 1;
}

function isFlag({ categories, numbers, rows }: ColumnStats): boolean {
  return categories?.size === 2 && numbers === rows;
}

/** classify or regress, by what the label holds. @throws data-invalid when it holds nothing to predict */
export function labelTask(path: string, { stats }: Described): { task: Task; why: string } {
  const filled = stats.rows - stats.empty;
  const name = named([stats.name]);
  if (filled === 0)
    throw sampleProblem(
      `${path}: every cell of the label ${name} is empty.`,
      'Pass --label with another column.',
    );
  const distinct = stats.categories?.size;
  if (distinct === 1)
    throw sampleProblem(
      `${path}: the label ${name} holds a single class, ${named([...stats.categories!.keys()])}; there is nothing to tell apart.`,
      'Pass a sample that holds every class, or --label with another column.',
    );
  const quantity = stats.numbers + stats.markers === filled && stats.numbers > 0;
  if (quantity && (!stats.integers || (distinct ?? Number.POSITIVE_INFINITY) > CLASSES_OF_NUMBERS))
    return { task: 'regress', why: `the label ${name} is a quantity` };
  if (distinct !== undefined && distinct <= MOST_CLASSES)
    return { task: 'classify', why: `the label ${name} has ${distinct} classes` };
  throw sampleProblem(
    `${path}: the label ${name} has ${distinct ?? 'more than 1000'} different values and is no number.`,
    'Pass --label with a column of classes or numbers.',
  );
}

/** Class names of a label, and what to say of them. @throws data-invalid */
export function classesOf(path: string, { stats }: Described): readonly string[] {
  const { categories } = stats;
  if (!categories || categories.size > MOST_CLASSES)
    throw sampleProblem(
      `${path}: ${named([stats.name])} has ${categories?.size ?? 'more than 1000'} different values, too many for classes.`,
      'Pass --task regress if it is a number, or --label with another column.',
    );
  return [...categories.keys()];
}
