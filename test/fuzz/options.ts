import { commandLine } from '../support/command-line.ts';
import { UsageError } from '../support/usage-error.ts';

const { parse, whole } = commandLine('fuzz');

export interface FuzzOptions {
  readonly cases: number;
  /** The end, whatever is left of the cases. */
  readonly seconds: number;
  readonly seed: number;
  readonly only: string | null;
  readonly json: boolean;
}

export const HELP = `npm run fuzz -- [options]

Real traffic with something wrong in it, against a real coordinator and real clients: HTTP, WebSocket, sealed messages,
whole rounds in which one message or body is changed on its way, and everything that reads files and texts of others. Three
honest clients train meanwhile, and must not notice. The kept inputs of test/fuzz/corpus come first. Exit code 1 when
something crashed, answered with "internal", refused without a code, hung, leaked, or disturbed the honest.

  --cases N      inputs that are played (10000)
  --seconds S    stop after so long, whatever is left (3600)
  --seed S       the inputs that follow from it, again; printed at each start
  --only NAME    one target: decoders, http, handshake, session or round
  --json         one JSON object on standard output

Examples

  npm run fuzz -- --cases 20000
  npm run fuzz -- --cases 1000000 --seconds 60 --seed 7
  npm run fuzz -- --cases 500 --only round --json
`;

export const TARGETS = ['decoders', 'http', 'handshake', 'session', 'round'] as const;

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): FuzzOptions | 'help' {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = { cases: text, seconds: text, seed: text, only: text, json: flag, help: flag };
  const values = parse(argv, options);
  if (values.help) return 'help';
  const { only = null } = values;
  if (only !== null && !(TARGETS as readonly string[]).includes(only))
    throw new UsageError(
      `--only is ${only}; it must be one of ${TARGETS.join(', ')}.`,
      'npm run fuzz -- --help',
    );
  return {
    cases: whole('cases', values.cases, 10_000, 1, 100_000_000),
    seconds: whole('seconds', values.seconds, 3600, 1, 1_000_000),
    seed: whole('seed', values.seed, Math.floor(Math.random() * 2 ** 31), 0, 2 ** 32 - 1),
    only,
    json: values.json,
  };
}
