/** `npm run mutants`: see options.ts. */
import { codeOf } from '../support/command-line.ts';
import type { Mutant } from './mutant.ts';
import { HELP, parseOptions } from './options.ts';
import { type MutantsReport, tryMutants, type Verdict } from './run.ts';

const stop = new AbortController();

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (options.list) {
    const { mutants } = options;
    process.stdout.write(options.json ? `${JSON.stringify(mutants)}\n` : mutants.map(entry).join(''));
    return 0;
  }
  const terminal = process.stderr.isTTY;
  const report = await tryMutants(
    options,
    (text) => {
      if (terminal) process.stderr.write(`\r\x1b[K${text}`);
    },
    stop.signal,
  );
  if (terminal) process.stderr.write('\r\x1b[K');
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
  return report.held ? 0 : 1;
}

function entry({ name, invariant, file, test }: Mutant): string {
  return `${name} (${file})\n  ${invariant}\n  ${test.file}: ${test.name}\n`;
}

function describe({ mutants, control, seconds }: MutantsReport): string {
  const caught = mutants.filter(({ outcome }) => outcome === 'caught').length;
  const words = [
    ...mutants.map(row),
    ...control.map((text) => `without a mutant: ${text}`),
    `${caught} of ${mutants.length} mutants caught in ${seconds.toFixed(0)} s`,
  ];
  return `${words.join('\n')}\n`;
}

function row({ name, invariant, file, test, outcome, said, seconds }: Verdict): string {
  const head = `${outcome === 'caught' ? 'caught' : outcome.toUpperCase()}  ${name}, ${seconds.toFixed(1)} s`;
  const lines = [head, `  ${invariant}`, `  ${file}: ${test}`];
  return (outcome === 'unclear' ? [...lines, `  ${said}`] : lines).join('\n');
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
process.exitCode = await codeOf((argv) =>
  main(argv).catch((thrown) => {
    if (!stop.signal.aborted) throw thrown;
    return 130;
  }),
);
