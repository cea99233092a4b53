/** The terminal as a port, so that commands can be driven by a test. */
import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import pc from 'picocolors';

export type Colors = ReturnType<typeof pc.createColors>;

export interface Io {
  /** Returns when the bytes have left the process: a killed node loses no line it has printed. */
  out(text: string): void;
  err(text: string): void;
  /** Whole standard input when it is no terminal, else undefined. */
  readStdin(): Promise<string | undefined>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly outTty: boolean;
  readonly errTty: boolean;
  readonly inTty: boolean;
  /** Size of the terminal that standard error is, in characters. */
  readonly size: { readonly columns: number; readonly rows: number };
  readonly colors: { readonly out: Colors; readonly err: Colors };
  /** Fires at the first SIGINT or SIGTERM; the second one ends the process, and the first where nobody asked for this. */
  readonly interrupted: AbortSignal;
}

/** No colours where nobody sees them, or where NO_COLOR (no-color.org) is set to anything. */
export function wantsColor(tty: boolean, env: Io['env']): boolean {
  if (env.NO_COLOR) return false;
  return env.FORCE_COLOR ? env.FORCE_COLOR !== '0' : tty && env.TERM !== 'dumb';
}

export function processIo(): Io {
  const { env, stdin, stdout, stderr } = process;
  let signal: AbortSignal | undefined;
  return {
    out: (text) => writeAll(1, text),
    err: (text) => writeAll(2, text),
    readStdin: async () => (stdin.isTTY ? undefined : readText(stdin)),
    env,
    outTty: stdout.isTTY === true,
    errTty: stderr.isTTY === true,
    inTty: stdin.isTTY === true,
    get size() {
      // Some terminals say 0 for "unknown".
      return { columns: stderr.columns || 80, rows: stderr.rows || 24 };
    },
    colors: {
      out: pc.createColors(wantsColor(stdout.isTTY === true, env)),
      err: pc.createColors(wantsColor(stderr.isTTY === true, env)),
    },
    get interrupted() {
      signal ??= onSignals();
      return signal;
    },
  };
}

async function readText(stream: NodeJS.ReadStream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part as Buffer));
  return Buffer.concat(parts).toString('utf8');
}

/** A pipe may be full (EAGAIN: wait and go on) or closed by its reader (EPIPE: like `head`, end in silence). */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') process.exit(0);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function onSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => {
      controller.abort();
      // Not the signal's own way, which tells nobody: a trainer program would live on.
      process.once(name, () => process.exit(128 + constants.signals[name]));
    });
  return controller.signal;
}
