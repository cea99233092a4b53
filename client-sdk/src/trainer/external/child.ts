/** The process of a trainer program: how it is started, how it is killed, and how it ended. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { programEnvironment } from './environment.ts';
import { misbehaved, quote } from './messages.ts';

/** @throws training-failed for what the system refuses at once; the rest is told by `endOf` */
export function launch(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): ChildProcessWithoutNullStreams {
  const [file = '', ...args] = command;
  let child: ChildProcessWithoutNullStreams;
  try {
    // Never a shell. A process group of its own: what the program starts is killed with it.
    child = spawn(file, args, { cwd, env: programEnvironment(env), stdio: 'pipe', detached: true });
  } catch (thrown) {
    throw misbehaved(cannotStart(file, thrown));
  }
  // A node that ends at once, by a second Ctrl-C or a fault that nobody caught, leaves no program behind that hangs.
  const along = () => killGroup(child);
  const alone = () => process.off('exit', along);
  process.once('exit', along);
  child.once('exit', alone).once('error', alone);
  // The pipe of a program that ended: its end is told by `endOf`.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
  return child;
}

/** What the program started may hold its pipes open for ever: milliseconds. */
const PIPES_MS = 500;

/** How it ended, in words, when all that it wrote has been read. */
export function endOf(child: ChildProcessWithoutNullStreams): Promise<string> {
  return new Promise((resolve) => {
    let how = 'ended';
    let patience: NodeJS.Timeout | undefined;
    const finish = () => {
      clearTimeout(patience);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      resolve(how);
    };
    child.once('error', (error) => {
      how = cannotStart(child.spawnfile, error);
      finish();
    });
    child.once('exit', (code, signal) => {
      how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      killGroup(child);
      patience = setTimeout(finish, PIPES_MS);
    });
    child.once('close', finish);
  });
}

export function killGroup({ pid }: ChildProcessWithoutNullStreams): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

function cannotStart(file: string, thrown: unknown): string {
  return `program ${quote(file)} cannot be started (${(thrown as NodeJS.ErrnoException).code ?? 'unknown fault'})`;
}
