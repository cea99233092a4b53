/** The demo's command line: a contract (`npm run demo -- --help`). Whatever does not fit is refused before anything starts. */
import { type PartitionScheme, parsePartition } from '@tributary/client-sdk';
import { LIMITS } from '@tributary/protocol';
import { UsageError } from '../support/usage-error.ts';
import { DATASETS, type DatasetName } from './datasets/index.ts';
import { requireBearableDrop } from './drop.ts';

const ENGINES = ['auto', 'native', 'wasm'] as const;

export interface DemoOptions {
  readonly dataset: DatasetName;
  readonly partners: number;
  readonly rounds: number;
  readonly epochs: number;
  readonly batch: number;
  /** Learning rate of plain SGD. */
  readonly lr: number;
  readonly partition: PartitionScheme;
  readonly seed: number;
  /** Partners to kill in round 2. */
  readonly drop: number;
  /** Of the coordinator; 0: any free one. */
  readonly port: number;
  /** Kept; without it a temporary folder is used and deleted. */
  readonly data: string | undefined;
  readonly json: string | undefined;
  /** Share of a partner's rows that it keeps aside to measure the incoming model. */
  readonly holdout: number;
  readonly aggregation: 'secure' | 'plain';
  /** Whether each partner trains alone too, for comparison. */
  readonly alone: boolean;
  /** What nodes train with; `auto` takes native where it is installed, else wasm. */
  readonly engine: (typeof ENGINES)[number];
}

const DEFAULTS = {
  '--dataset': 'digits',
  '--partners': '5',
  '--rounds': '10',
  // Of the data set.
  '--epochs': undefined,
  '--batch': undefined,
  '--lr': undefined,
  '--partition': 'iid',
  '--seed': '1',
  '--drop': '0',
  '--port': '0',
  '--engine': 'auto',
  '--data': undefined,
  '--json': undefined,
  // For tests and comparisons; not in the help.
  '--holdout': '.1',
  '--aggregation': 'secure',
  '--alone': 'yes',
} as const;
type Flag = keyof typeof DEFAULTS;
type FlagWithDefault = Exclude<Flag, '--data' | '--json'>;

/** @returns `help` when that is asked for. @throws UsageError, TributaryError */
export function parseCommandLine(argv: readonly string[]): DemoOptions | 'help' {
  if (argv.includes('--help') || argv.includes('-h')) return 'help';
  const given = new Map<Flag, string>();
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const { flag, value = words.shift() } = split(word);
    if (value === undefined || value === '' || isFlag(value))
      throw new UsageError(`${flag} needs a value.`, 'See `npm run demo -- --help`.');
    if (given.has(flag)) throw new UsageError(`${flag} is given twice.`, 'Give it once.');
    given.set(flag, value);
  }
  const dataset = oneOf('--dataset', given.get('--dataset') ?? DEFAULTS['--dataset'], DATASET_NAMES);
  const defaults: Readonly<Record<FlagWithDefault, string>> = { ...DEFAULTS, ...DATASETS[dataset].defaults };
  const text = (flag: FlagWithDefault): string => given.get(flag) ?? defaults[flag];
  const whole = (flag: FlagWithDefault, minimum: number, maximum: number) =>
    wholeNumber(flag, text(flag), minimum, maximum, defaults[flag]);
  const fraction = (
    flag: FlagWithDefault,
    maximum: number,
    rule: string,
    allowed: (value: number) => boolean,
  ) => decimal(flag, text(flag), maximum, rule, allowed, defaults[flag]);
  const options: DemoOptions = {
    dataset,
    partners: whole('--partners', 3, LIMITS.cohort),
    rounds: whole('--rounds', 1, LIMITS.rounds),
    epochs: whole('--epochs', 1, LIMITS.epochs),
    batch: whole('--batch', 1, LIMITS.batch),
    lr: fraction('--lr', 1000, 'above 0 and at most 1000', (value) => value > 0),
    partition: parsePartition(text('--partition')),
    seed: whole('--seed', 0, 2 ** 31 - 1),
    drop: whole('--drop', 0, LIMITS.cohort),
    port: whole('--port', 0, 65_535),
    data: given.get('--data'),
    json: given.get('--json'),
    holdout: fraction('--holdout', 0.5, 'from 0 to 0.5', (value) => value >= 0),
    aggregation: oneOf('--aggregation', text('--aggregation'), ['secure', 'plain']),
    alone: oneOf('--alone', text('--alone'), ['yes', 'no']) === 'yes',
    engine: oneOf('--engine', text('--engine'), ENGINES),
  };
  requireBearableDrop(options);
  return options;
}

function split(word: string): { flag: Flag; value?: string } {
  const at = word.indexOf('=');
  const name = at < 0 ? word : word.slice(0, at);
  if (isFlag(name)) return at < 0 ? { flag: name } : { flag: name, value: word.slice(at + 1) };
  const near = Object.keys(DEFAULTS).find((flag) => flag.startsWith(name) || name.startsWith(flag));
  const what = word.startsWith('-') ? `The demo has no option ${name}.` : `"${word}" is one word too many.`;
  const hint = near && name.length > 3 ? `Did you mean ${near}? ` : '';
  throw new UsageError(what, `${hint}See \`npm run demo -- --help\`.`);
}

function isFlag(word: string): word is Flag {
  return Object.hasOwn(DEFAULTS, word);
}

function wholeNumber(flag: Flag, text: string, minimum: number, maximum: number, usual: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  const why =
    flag === '--partners' && value < minimum
      ? ' With two partners, the sum tells each of them the other one’s update.'
      : '';
  throw new UsageError(
    `${flag} is "${text}", not a whole number from ${minimum} to ${maximum}.${why}`,
    `Give such a number; the default is ${usual}.`,
  );
}

function decimal(
  flag: Flag,
  text: string,
  maximum: number,
  rule: string,
  allowed: (value: number) => boolean,
  usual: string,
): number {
  const value = /^(\d+(\.\d*)?|\.\d+)(e-?\d{1,3})?$/i.test(text) ? Number(text) : Number.NaN;
  if (allowed(value) && value <= maximum) return value;
  throw new UsageError(
    `${flag} is "${text}", not a number ${rule}.`,
    `Give such a number; the default is ${usual}.`,
  );
}

const DATASET_NAMES = Object.keys(DATASETS) as DatasetName[];

function oneOf<T extends string>(flag: FlagWithDefault, text: string, allowed: readonly T[]): T {
  const found = allowed.find((word) => word === text);
  if (found !== undefined) return found;
  const near = allowed.find((word) => word.startsWith(text.slice(0, 3)));
  throw new UsageError(
    `${flag} is "${text}", not one of ${allowed.join(', ')}.`,
    near && text.length > 2 ? `Did you mean ${near}?` : `Leave it out: ${DEFAULTS[flag]} is meant.`,
  );
}
