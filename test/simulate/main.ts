/** `npm run simulate`: see options.ts. */

import { codeOf } from '../support/command-line.ts';
import { minimise } from './minimise.ts';
import { HELP, parseOptions, type SimulateOptions } from './options.ts';
import { simulateAll } from './pool.ts';
import { describeReport, type Failure, summarise } from './report.ts';
import { faultsOf, type Outcome, simulate } from './simulation.ts';

/** Failing seeds that are minimised; the others are counted. */
const MINIMISED = 5;

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv);
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  return run(options);
}

async function run({ seed: first, seeds, threads, json, trace }: SimulateOptions): Promise<number> {
  const began = performance.now();
  const outcomes: Outcome[] = [];
  const list = Array.from({ length: seeds }, (_, i) => first + i);
  await simulateAll(list, threads, (outcome) => {
    outcomes.push(outcome);
    progress(`${outcomes.length} of ${seeds} seeds`);
  });
  const seconds = (performance.now() - began) / 1000;
  const failing = outcomes.filter(({ violations }) => violations.length > 0).sort((a, b) => a.seed - b.seed);
  const failures: Failure[] = [];
  for (const { seed, violations } of failing.slice(0, MINIMISED)) {
    progress(`making seed ${seed} smaller`);
    const fails = async (faults: Failure['faults']) =>
      (await simulate(seed, { faults })).violations.length > 0;
    failures.push({ seed, violations, faults: await minimise(faultsOf(seed), fails) });
  }
  progress('');
  if (trace) {
    const { lines } = await simulate(first, { keepTrace: true });
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  const report = summarise(outcomes, failures, first, seconds);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : describeReport(report));
  return report.violations > 0 ? 1 : 0;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

process.exit(await codeOf(main));
