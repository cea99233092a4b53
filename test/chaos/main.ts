/** `npm run chaos`: see options.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { codeOf } from '../support/command-line.ts';
import { runChaos } from './chaos.ts';
import { HELP, parseOptions } from './options.ts';
import { describe } from './report.ts';

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'tributary-chaos-'));
  const terminal = process.stderr.isTTY;
  const progress = (text: string): void => {
    if (terminal) process.stderr.write(`\r\x1b[K${stripVTControlCharacters(text).slice(0, 110)}`);
  };
  const report = await runChaos({ ...options, folder, progress });
  if (terminal) process.stderr.write('\r\x1b[K');
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
  if (report.folder === null) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  return report.violations.length > 0 ? 1 : 0;
}

// Children are killed at exit (parts.ts), however it comes about.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));
process.exit(await codeOf(main));
