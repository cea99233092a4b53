/** `npm run fuzz`: see options.ts. */
import { asTributaryError } from '@tributary/protocol';
import { UsageError } from '../demo/usage-error.ts';
import { type FuzzReport, fuzz } from './fuzz.ts';
import { HELP, parseOptions } from './options.ts';

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const terminal = process.stderr.isTTY;
  process.stderr.write(`seed ${options.seed}\n`);
  const report = await fuzz(options, (text) => {
    if (terminal) process.stderr.write(`\r\x1b[K${text}`);
  });
  if (terminal) process.stderr.write('\r\x1b[K');
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
  return report.held ? 0 : 1;
}

function describe({ cases, seconds, seed, played, rounds, memory, files, findings }: FuzzReport): string {
  const parts = Object.entries(played).map(([name, count]) => `${count} ${name}`);
  const lines = [
    `${cases} cases in ${seconds.toFixed(0)} s (${parts.join(', ')}), seed ${seed}`,
    `${rounds} rounds published by honest clients meanwhile`,
    `coordinator: ${memory.before.toFixed(0)} MB, then ${memory.after.toFixed(0)} MB; ${files.before} open files, then ${files.after}`,
    `findings: ${findings.length}`,
    ...findings.map(({ target, what, input }) => `\n${target}: ${what}\n  ${JSON.stringify(input)}`),
  ];
  return `${lines.join('\n')}\n`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  const { message, remedy } = asTributaryError(thrown);
  const usage = thrown instanceof UsageError;
  // What else ends the fuzzer is a fault of the fuzzer's own.
  const stack = usage || !(thrown instanceof Error) ? '' : `${thrown.stack}\n`;
  process.stderr.write(`${message}\n${remedy}\n${stack}`);
  process.exitCode = usage ? 2 : 1;
}
