import { commandLine } from '../support/command-line.ts';

const { parse, whole } = commandLine('soak');

export interface SoakOptions {
  readonly rounds: number;
  readonly warmup: number;
  readonly nodes: number;
  readonly parameters: number;
  /** MB in 1,000 rounds. */
  readonly goal: number;
  readonly json: boolean;
}

export const HELP = `npm run soak -- [options]

A coordinator in a process of its own, and real clients in this one, train round after round. After a warm-up memory and
open files of both are measured: memory may grow by less than 2 MB in 1,000 rounds, files not at all, and what is live in
the clients by less than 2 MB in 1,000 rounds, or in all when there are fewer. Exit code 1 when they do. Fewer than 1,000
rounds measure the resident memory roughly: give them a wider goal.

  --rounds N     rounds that are measured (1000)
  --warmup N     rounds before (300)
  --nodes N      partners, 3 to 20 (3)
  --params N     parameters of the model (10000)
  --goal MB      growth of resident memory in 1,000 rounds that is too much (2)
  --json         one JSON object on standard output

Examples

  npm run soak -- --rounds 1000
  npm run soak -- --rounds 5000 --nodes 5 --json
`;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): SoakOptions | 'help' {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    rounds: text,
    warmup: text,
    nodes: text,
    params: text,
    goal: text,
    json: flag,
    help: flag,
  };
  const values = parse(argv, options);
  if (values.help) return 'help';
  return {
    rounds: whole('rounds', values.rounds, 1000, 20, 9000),
    warmup: whole('warmup', values.warmup, 300, 1, 1000),
    nodes: whole('nodes', values.nodes, 3, 3, 20),
    parameters: whole('params', values.params, 10_000, 1, 10_000_000),
    goal: whole('goal', values.goal, 2, 1, 1000),
    json: values.json,
  };
}
