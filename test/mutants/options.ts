import { commandLine } from '../support/command-line.ts';
import { UsageError } from '../support/usage-error.ts';
import { MUTANTS } from './list.ts';
import type { Mutant } from './mutant.ts';

const { parse, whole } = commandLine('mutants');

export interface MutantsOptions {
  readonly mutants: readonly Mutant[];
  /** Only says what there is. */
  readonly list: boolean;
  /** Copies in which mutants are tried at the same time. */
  readonly atOnce: number;
  readonly json: boolean;
}

export const HELP = `npm run mutants -- [options]

Breaks one invariant of Tributary after the other, in a temporary copy of the sources, and runs the test that must notice.
First all of those tests run on the copy as it is: they must pass. Exit code 1 when a test passes on its mutant, or fails
for a reason of no meaning, such as a syntax error.

  --only NAME    this mutant; may be given several times
  --list         print the mutants and their tests, and break nothing
  --at-once N    mutants that are tried at the same time, 1 to 8 (2)
  --json         one JSON object on standard output

Examples

  npm run mutants
  npm run mutants -- --list
  npm run mutants -- --only both-kinds-of-share --only fsync-of-upload --json
`;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): MutantsOptions | 'help' {
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    only: { type: 'string', multiple: true },
    'at-once': { type: 'string' },
    list: flag,
    json: flag,
    help: flag,
  } as const;
  const values = parse(argv, options);
  if (values.help) return 'help';
  const { only, list, json } = values;
  const unknown = only?.find((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown !== undefined)
    throw new UsageError(`--only is ${unknown}; there is no such mutant.`, 'npm run mutants -- --list');
  const atOnce = whole('at-once', values['at-once'], 2, 1, 8);
  const mutants = only ? MUTANTS.filter(({ name }) => only.includes(name)) : MUTANTS;
  return { mutants, list, atOnce, json };
}
