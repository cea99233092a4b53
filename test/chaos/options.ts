import { commandLine } from '../support/command-line.ts';
import { NODES } from './plan.ts';

const { parse, whole } = commandLine('chaos');

export interface ChaosOptions {
  readonly kills: number;
  readonly seed: number;
  readonly nodes: number;
  /** Ends earlier, if the kills take longer. */
  readonly seconds: number;
  readonly json: boolean;
  /** Leaves the folder with all logs. */
  readonly keep: boolean;
}

export const HELP = `npm run chaos -- [options]

A real coordinator and real nodes, each a process of its own, train while they are killed (SIGKILL, at named instants
around everything that is made durable and at random ones), frozen (SIGSTOP), and cut off by a proxy between them. What
was killed is started again; nothing else helps it. Then every published model is computed again, bit for bit, from what
the nodes had written down. Exit code 1, and the folder is kept, when anything is lost, counts twice, or is different.

  --kills N      so many kills (30)
  --seed S       repeats the choice of faults of an earlier call; how processes interleave is up to the machine
  --nodes N      partners, 5 to 20 (${NODES})
  --seconds T    stop killing after so many seconds, whatever is left (3600)
  --keep         keep the folder with all logs, whatever comes out
  --json         one JSON object on standard output

Examples

  npm run chaos -- --kills 30
  npm run chaos -- --kills 1000 --seconds 600 --json
  npm run chaos -- --kills 30 --seed 12345
`;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): ChaosOptions | 'help' {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const values = parse(argv, {
    kills: text,
    seed: text,
    nodes: text,
    seconds: text,
    json: flag,
    keep: flag,
    help: flag,
  });
  if (values.help) return 'help';
  return {
    kills: whole('kills', values.kills, 30, 0, 1_000_000),
    seed: whole('seed', values.seed, Math.floor(Math.random() * 2 ** 32), 0, 2 ** 32 - 1),
    nodes: whole('nodes', values.nodes, NODES, 5, 20),
    seconds: whole('seconds', values.seconds, 3600, 1, 1_000_000),
    json: values.json,
    keep: values.keep,
  };
}
