/** `npm run bench -- NAME [--json] [options]`: measured value, the floor measured in the same run, and their ratio. */
import { parseArgs } from 'node:util';
import { ENGINES } from '@tributary/client-sdk/training';
import { benchExchange } from './exchange.ts';
import { benchAtRest, benchFold } from './fold.ts';
import { benchMasks } from './masks.ts';
import { benchMemory } from './memory.ts';
import { print, type Result } from './report.ts';
import { benchResume } from './resume.ts';
import { benchRound } from './round.ts';
import { NETS } from './train/nets.ts';
import { benchTrain } from './train/train.ts';
import { benchUnmask } from './unmask.ts';

interface Options {
  readonly clients?: string;
  readonly params?: string;
  readonly drop?: string;
  readonly repeat?: string;
  readonly cuts?: string;
  readonly nets?: string;
  readonly engines?: string;
}

const BENCHES: Record<string, (options: Options) => Promise<Result | Result[]> | Result> = {
  masks: (o) => benchMasks({ parameters: count('params', o.params, 10_000_000) }),
  fold: (o) =>
    benchFold({
      clients: count('clients', o.clients, 4),
      parameters: count('params', o.params, 10_000_000),
    }),
  'at-rest': (o) =>
    benchAtRest({
      clients: count('clients', o.clients, 4),
      parameters: count('params', o.params, 10_000_000),
    }),
  unmask: (o) =>
    benchUnmask({
      clients: count('clients', o.clients, 100),
      parameters: count('params', o.params, 1_000_000),
      drop: count('drop', o.drop, 10),
    }),
  exchange: (o) =>
    benchExchange({
      clients: count('clients', o.clients, 4),
      parameters: count('params', o.params, 10_000_000),
    }),
  memory: (o) =>
    benchMemory({
      clients: (o.clients ?? '10,50,100').split(',').map((text) => count('clients', text, 0)),
      parameters: count('params', o.params, 1_000_000),
      repeat: count('repeat', o.repeat, 5),
    }),
  round: (o) =>
    benchRound({
      clients: count('clients', o.clients, 10),
      parameters: count('params', o.params, 200_000),
    }),
  resume: (o) =>
    benchResume({
      parameters: count('params', o.params, 25_000_000),
      cuts: count('cuts', o.cuts, 5),
    }),
  train: (o) =>
    benchTrain({
      nets: words('nets', o.nets, NETS, NETS),
      engines: words('engines', o.engines, ENGINES, ['native', 'wasm']),
    }),
};

const HELP = `npm run bench -- NAME [--json] [options]

  masks     masking speed against raw AES-256-CTR        --params 10000000
  fold      upload to folded, CPU against a bare server  --clients 4 --params 10000000
  at-rest   the same, encrypted on disk, against plain   --clients 4 --params 10000000
  unmask    removing masks against single masks          --clients 100 --params 1000000 --drop 10
  exchange  a whole exchange, plain and secure           --clients 4 --params 10000000
  memory    peak memory by number of clients             --clients 10,50,100 --params 1000000 --repeat 5
  round     protocol time of a round                     --clients 10 --params 200000
  resume    an upload whose link breaks                  --params 25000000 --cuts 5
  train     a training step of each net, by engine       --engines native,wasm --nets cnn-32,...
  all       every one of them
`;

class UsageError extends Error {}

function count(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`--${name} is a positive whole number, not ${text}.`);
  return value;
}

function words<T extends string>(
  name: string,
  text: string | undefined,
  allowed: readonly T[],
  fallback: readonly T[],
): readonly T[] {
  const given = text?.split(',') ?? fallback;
  const wrong = given.find((word) => !allowed.some((one) => one === word));
  if (wrong !== undefined) throw new UsageError(`--${name} knows ${allowed.join(', ')}, not ${wrong}.`);
  return given as readonly T[];
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    json: flag,
    help: flag,
    clients: text,
    params: text,
    drop: text,
    repeat: text,
    cuts: text,
    nets: text,
    engines: text,
  };
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [name] = positionals;
  if (values.help || name === undefined) {
    process.stdout.write(HELP);
    return;
  }
  const names = name === 'all' ? Object.keys(BENCHES) : [name];
  for (const each of names) {
    const bench = Object.hasOwn(BENCHES, each) ? BENCHES[each] : undefined;
    if (!bench)
      throw new UsageError(`There is no bench ${each}; there are ${Object.keys(BENCHES).join(', ')}, all.`);
    for (const result of [await bench(values as Options)].flat()) print(result, values.json);
  }
}

try {
  await main();
} catch (error) {
  const usage =
    error instanceof UsageError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`${(error as Error).message}\n${usage ? 'See: npm run bench -- --help\n' : ''}`);
  process.exitCode = usage ? 2 : 1;
}
