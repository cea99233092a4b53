/** The two programs in processes of their own, as people start them, with a folder for everything they keep. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

const SERVER = join(import.meta.dirname, '../../server/bin/tributary-server.js');
const CLI = join(import.meta.dirname, '../../client-sdk/bin/tributary.js');

export interface Output {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Options {
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
}

interface Started {
  readonly child: ChildProcess;
  /** What was printed so far. */
  readonly text: { out: string; err: string };
  readonly ended: Promise<Output>;
}

interface ServerFacts {
  readonly url: string;
  readonly adminToken: string | null;
}

export interface Programs {
  readonly folder: string;
  start(words: readonly string[], options?: Options): Started;
  run(line: string, options?: Options): Promise<Output>;
  /** The only JSON value on standard output; fails unless the exit code is 0 and standard error is empty. */
  json(line: string, options?: Options): Promise<ReturnType<typeof JSON.parse>>;
  startServer(port?: string): Promise<ServerFacts>;
  stopServer(signal: NodeJS.Signals): Promise<void>;
  /** Kills what still runs and deletes the folder. */
  close(): Promise<void>;
}

export async function createPrograms(): Promise<Programs> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-cli-test-'));
  const children = new Set<ChildProcess>();
  let server: ChildProcess | undefined;

  function launch(program: string, words: readonly string[], env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, [program, ...words], { env, cwd: folder, stdio: 'pipe' });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  }

  function start(words: readonly string[], options: Options = {}): Started {
    const child = launch(CLI, words, {
      PATH: process.env.PATH,
      XDG_CONFIG_HOME: join(folder, 'config'),
      TRIBUTARY_PASSPHRASE: 'correct horse battery',
      ...options.env,
    });
    const text = { out: '', err: '' };
    child.stdout.on('data', (part) => {
      text.out += part;
    });
    child.stderr.on('data', (part) => {
      text.err += part;
    });
    child.stdin.end(options.stdin ?? '');
    return { child, text, ended: once(child, 'close').then(([code]) => ({ code, ...text })) };
  }

  const run = (line: string, options?: Options) => start(line.split(' '), options).ended;

  return {
    folder,
    start,
    run,
    async json(line, options) {
      const { code, out, err } = await run(`${line} --json`, options);
      expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
      return JSON.parse(out);
    },
    async startServer(port = '0') {
      const words = [
        'start',
        '--data',
        join(folder, 'coordinator'),
        '--port',
        port,
        '--json',
        '--log-level',
        'error',
      ];
      server = launch(SERVER, words, { PATH: process.env.PATH });
      const [first] = await once(server.stdout!, 'data');
      return JSON.parse(String(first));
    },
    async stopServer(signal) {
      const ended = once(server!, 'close');
      server!.kill(signal);
      await ended;
    },
    async close() {
      const ended = [...children].map((child) => once(child, 'close'));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(ended);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  milliseconds = 30_000,
): Promise<void> {
  for (const end = Date.now() + milliseconds; !(await condition()); await sleep(100))
    if (Date.now() > end) throw new Error(`waited in vain for ${condition}`);
}
