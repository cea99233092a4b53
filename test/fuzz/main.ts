/** `npm run fuzz`: see options.ts. */
import { codeOf } from '../support/command-line.ts';
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

process.exitCode = await codeOf(main);
