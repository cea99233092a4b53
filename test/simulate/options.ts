import { availableParallelism } from 'node:os';
import { commandLine } from '../support/command-line.ts';

const { parse, whole } = commandLine('simulate');

export interface SimulateOptions {
  readonly seeds: number;
  /** The first one. */
  readonly seed: number;
  readonly threads: number;
  readonly json: boolean;
  readonly trace: boolean;
}

export const HELP = `npm run simulate -- [options]

The real round machine, coordinator, node runtime and cryptography in one process, 3 to 8 nodes, on one seeded clock,
network and disk: frames are lost, doubled, late or overtaken, connections half open, disks full, and coordinator and
nodes die at every call of a port (before it, in the middle of it, after it) and come back with what was on disk; people
pause, cancel, suspend, stop, reject, and restore backups. Watched all the while: each published model is the exact fold
of what its survivors quantised, what was acknowledged counts once, one list of each kind in an attempt, no node says too
much, and every run comes to its end. Exit code 1 when anything is violated; the seed is printed with the fewest faults
that still do it.

  --seeds N      so many seeds, one after the other (200)
  --seed S       the first one; without --seeds only this one
  --trace        with --seed: everything that happened, line by line
  --threads T    at the same time (as many as there are cores, at most 8)
  --json         one JSON object on standard output

Examples

  npm run simulate -- --seeds 2000
  npm run simulate -- --seed 466 --trace
  npm run simulate -- --seeds 500 --seed 10000 --json
`;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): SimulateOptions | 'help' {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const values = parse(argv, { seeds: text, seed: text, threads: text, trace: flag, json: flag, help: flag });
  if (values.help) return 'help';
  return {
    seeds: whole('seeds', values.seeds, values.seed === undefined ? 200 : 1, 1, 10_000_000),
    seed: whole('seed', values.seed, 0, 0, 2 ** 32 - 1),
    threads: whole('threads', values.threads, Math.min(8, availableParallelism()), 1, 64),
    json: values.json,
    trace: values.trace,
  };
}
