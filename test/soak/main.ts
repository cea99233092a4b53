/** `npm run soak`: see options.ts. */
import { codeOf } from '../support/command-line.ts';
import { HELP, parseOptions } from './options.ts';
import { type SoakReport, soak } from './soak.ts';

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const terminal = process.stderr.isTTY;
  const report = await soak(options, (text) => {
    if (terminal) process.stderr.write(`\r\x1b[K${text}`);
  });
  if (terminal) process.stderr.write('\r\x1b[K');
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
  return report.held ? 0 : 1;
}

function describe({ rounds, nodes, seconds, growth }: SoakReport): string {
  const lines = growth.map(
    ({ who, mb, rss, live, files, held }) =>
      `${who.padEnd(12)} ${mb.toFixed(2)} MB${live === null ? '' : ` (${live.toFixed(2)} MB of it live)`} and ${files.toFixed(1)} open files in 1,000 rounds, ${rss.toFixed(0)} MB in all: ${held ? 'held' : 'GROWS'}`,
  );
  const speed = `${rounds} rounds of ${nodes} partners in ${seconds.toFixed(0)} s`;
  return `${[speed, ...lines].join('\n')}\n`;
}

process.exitCode = await codeOf(main);
