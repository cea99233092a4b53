/** Processes that are killed and started again. None outlives this one: each hangs on a channel (leash.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { LEASH } from '../demo/programs.ts';

const KEPT_LINES = 8;

export interface Hooks {
  /** Where the next process is to die. */
  arm(): string | undefined;
  /** It died where it was armed, or by `kill`. */
  died(how: 'at a crash point' | 'at random', armed: string | undefined): void;
  /** It ended in a way that nobody had asked for. */
  fault(text: string): void;
  line?(line: string): void;
  /** Milliseconds until it is started again. */
  pause(): number;
}

export interface Part {
  readonly name: string;
  /** Milliseconds since 1970; 0 while it is down. */
  readonly since: number;
  start(): void;
  /** SIGKILL; nothing happens while it is down. */
  kill(): void;
  /** SIGSTOP, and SIGCONT after so long, by a process that does not depend on this one. */
  freeze(seconds: number): void;
  /** For good, by this signal. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export function launch(
  name: string,
  args: readonly string[],
  armed: string | undefined,
  log: string,
  line: (text: string) => void = () => {},
): { child: ChildProcess; ended: Promise<{ code: number | null; signal: string | null; words: string }> } {
  const kept: string[] = [];
  const env = Object.entries(process.env).filter(([key]) => !/^(TRIBUTARY_|VITEST|NODE_)/.test(key));
  const child = spawn(process.execPath, ['--import', LEASH, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...Object.fromEntries(env), ...(armed ? { TRIBUTARY_CRASH_AT: armed } : {}) },
  });
  living.add(child);
  const file = createWriteStream(log, { flags: 'a', mode: 0o600 });
  file.write(`--- ${new Date().toISOString()} ${name} ${child.pid} ${armed ?? ''}\n`);
  for (const stream of [child.stdout!, child.stderr!])
    createInterface({ input: stream }).on('line', (text) => {
      file.write(`${text}\n`);
      kept.push(text);
      if (kept.length > KEPT_LINES) kept.shift();
      if (stream === child.stdout) line(text);
    });
  const ended = new Promise<{ code: number | null; signal: string | null; words: string }>((resolve) => {
    child.once('error', (error) => kept.push(error.message));
    child.once('close', (code, signal) => {
      living.delete(child);
      file.end(`--- ${new Date().toISOString()} ${name} ${child.pid} ended ${code ?? signal}\n`);
      resolve({ code, signal, words: kept.join('\n') });
    });
  });
  return { child, ended };
}

export function createPart(name: string, args: readonly string[], log: string, hooks: Hooks): Part {
  let child: ChildProcess | null = null;
  let ended: Promise<unknown> = Promise.resolve();
  let since = 0;
  let killed = false;
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    const armed = hooks.arm();
    killed = false;
    since = Date.now();
    const life = launch(name, args, armed, log, hooks.line);
    child = life.child;
    ended = life.ended.then(({ code, signal, words }) => {
      child = null;
      since = 0;
      if (stopping) return;
      if (killed) hooks.died('at random', undefined);
      else if (signal === 'SIGKILL' && armed) hooks.died('at a crash point', armed);
      else hooks.fault(`${name} ended by itself (${code ?? signal}): ${words}`);
      timer = setTimeout(start, hooks.pause());
    });
  }

  return {
    name,
    get since() {
      return since;
    },
    start,
    kill() {
      if (!child) return;
      killed = true;
      child.kill('SIGKILL');
    },
    freeze(seconds) {
      if (!child) return;
      const script = 'kill -STOP $0; sleep $1; kill -CONT $0';
      const words = ['-c', script, String(child.pid), String(seconds)];
      spawn('sh', words, { stdio: 'ignore', detached: true }).unref();
    },
    async stop(signal) {
      stopping = true;
      clearTimeout(timer);
      child?.kill(signal);
      // One that is frozen, or does not want to.
      const last = setTimeout(() => child?.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(last);
    },
  };
}
