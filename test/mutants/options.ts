import { parseArgs } from 'node:util';
import { UsageError } from '../demo/usage-error.ts';
import { MUTANTS } from './list.ts';
import type { Mutant } from './mutant.ts';

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
    'at-once': { type: 'string', default: '2' },
    list: flag,
    json: flag,
    help: flag,
  } as const;
  const values = (() => {
    try {
      return parseArgs({ args: [...argv], options }).values;
    } catch (thrown) {
      throw new UsageError((thrown as Error).message, 'npm run mutants -- --help');
    }
  })();
  if (values.help) return 'help';
  const { only, list, json } = values;
  const unknown = only?.find((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown !== undefined)
    throw new UsageError(`--only is ${unknown}; there is no such mutant.`, 'npm run mutants -- --list');
  const atOnce = Number(values['at-once']);
  if (!Number.isSafeInteger(atOnce) || atOnce < 1 || atOnce > 8)
    throw new UsageError(
      `--at-once is ${values['at-once']}; it must be a whole number from 1 to 8.`,
      'npm run mutants -- --help',
    );
  const mutants = only ? MUTANTS.filter(({ name }) => only.includes(name)) : MUTANTS;
  return { mutants, list, atOnce, json };
}
