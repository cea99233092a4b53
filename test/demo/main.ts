/** `npm run demo`: see help.ts. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import { UsageError } from '../support/usage-error.ts';
import { ChildFailed, createChildren } from './children.ts';
import { HELP } from './help.ts';
import { type DemoOptions, parseCommandLine } from './options.ts';
import { runDemo } from './run.ts';
import { requireUsable } from './usable.ts';

const EXIT = { done: 0, failed: 1, usage: 2 } as const;

async function main(argv: readonly string[]): Promise<number> {
  let options: DemoOptions | 'help';
  try {
    options = parseCommandLine(argv);
    if (options === 'help') {
      process.stdout.write(HELP);
      return EXIT.done;
    }
    await requireUsable(options);
  } catch (thrown) {
    tell(thrown);
    return EXIT.usage;
  }
  return inFolder(options);
}

/** Makes the folder, runs the demo in it, and leaves no process and no temporary file behind. */
async function inFolder(options: DemoOptions): Promise<number> {
  const kept = options.data === undefined ? undefined : resolve(options.data);
  if (kept !== undefined) await mkdir(kept, { recursive: true, mode: 0o700 });
  const folder = kept ?? (await mkdtemp(join(tmpdir(), 'tributary-demo-')));
  await mkdir(join(folder, 'logs'), { mode: 0o700 });
  const children = createChildren(join(folder, 'logs'));
  const ends = new AbortController();
  const stopped = stopSignals();
  // Whatever else ends this process.
  process.on('exit', () => {
    children.killNow();
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  });
  let failure: unknown;
  try {
    const work = runDemo({ options, folder, children, cores: availableParallelism(), signal: ends.signal });
    await Promise.race([work, children.failure, stopped]);
  } catch (thrown) {
    failure = thrown;
  }
  ends.abort();
  await children.stop();
  if (kept === undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  if (failure === undefined) return EXIT.done;
  tell(failure);
  if (kept !== undefined) process.stderr.write(`Logs: ${join(kept, 'logs')}\n`);
  return failure instanceof UsageError ? EXIT.usage : EXIT.failed;
}

/** Rejects at the first signal; the second one ends this process at once. */
function stopSignals(): Promise<never> {
  const stopped = new Promise<never>((_, reject) => {
    let before = 0;
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => {
        before += 1;
        if (before === 1) reject(new Error(`Stopped by ${name}.`));
        else process.exit(EXIT.failed);
      });
  });
  stopped.catch(() => {});
  return stopped;
}

/** What went wrong and what to do, in plain words; the last lines of a process that ended. */
function tell(thrown: unknown): void {
  const { message } = thrown as Error;
  const say = (text: string) => process.stderr.write(`${text}\n`);
  say(`error: ${message}`);
  if (thrown instanceof ChildFailed) for (const line of thrown.lines) say(`  | ${line}`);
  if (thrown instanceof TributaryError || thrown instanceof ChildFailed) say(`next:  ${thrown.remedy}`);
}

process.on('uncaughtException', (error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(EXIT.failed);
});
process.exitCode = await main(process.argv.slice(2));
