/** For tests: a terminal that remembers what was written. */
import pc from 'picocolors';
import type { Io } from './io.ts';
import { runCli } from './run.ts';

export interface Written {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface TestIo extends Io {
  readonly written: () => { out: string; err: string };
}

export function createTestIo(
  options: { env?: Io['env']; stdin?: string; tty?: boolean; signal?: AbortSignal } = {},
): TestIo {
  const { env = {}, stdin, tty = false, signal = new AbortController().signal } = options;
  const parts = { out: '', err: '' };
  const plain = pc.createColors(false);
  return {
    out: (text) => {
      parts.out += text;
    },
    err: (text) => {
      parts.err += text;
    },
    readStdin: async () => stdin,
    env,
    outTty: tty,
    errTty: tty,
    inTty: false,
    size: { columns: 80, rows: 24 },
    colors: { out: plain, err: plain },
    interrupted: signal,
    written: () => ({ ...parts }),
  };
}

/** Runs a command line in this process. */
export async function runInTest(
  words: readonly string[],
  options: Parameters<typeof createTestIo>[0] = {},
): Promise<Written> {
  const io = createTestIo(options);
  const code = await runCli(words, io);
  return { code, ...io.written() };
}
