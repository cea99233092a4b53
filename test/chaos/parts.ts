/** Processes that are killed and started again. None outlives this one: each hangs on a channel (leash.ts). */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { LEASH } from '../demo/programs.ts';

const KEPT_LINES = 8;

export interface Hooks {
  /** Where the next process is to die: TRIBUTARY_CRASH_AT. */
  arm(): string | undefined;
  /** It died where it was armed, or by `kill`. */
  died(how: 'at a crash point' | 'at random', point: string | undefined): void;
  /** It ended by itself. */
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
  /** SIGKILL, and it stays away until `release`. */
  hold(): Promise<void>;
  release(): void;
  /** SIGSTOP, and SIGCONT after so long, by a process that does not depend on this one. */
  freeze(seconds: number): void;
  /** For good, by this signal. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  /** Its last lines. */
  readonly words: string;
  /** Where it killed itself. */
  readonly point: string | undefined;
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
): { child: ChildProcess; ended: Promise<End> } {
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
  const ended = new Promise<End>((resolve) => {
    child.once('error', (error) => kept.push(error.message));
    child.once('close', (code, signal) => {
      living.delete(child);
      file.end(`--- ${new Date().toISOString()} ${name} ${child.pid} ended ${code ?? signal}\n`);
      const point = signal === 'SIGKILL' ? /^crash point (\S+)$/m.exec(kept.join('\n'))?.[1] : undefined;
      resolve({ code, signal, words: kept.join('\n'), point });
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
  let held = false;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    const armed = hooks.arm();
    killed = false;
    since = Date.now();
    const life = launch(name, args, armed, log, hooks.line);
    child = life.child;
    ended = life.ended.then(({ code, signal, words, point }) => {
      child = null;
      since = 0;
      if (stopping) return;
      if (point) hooks.died('at a crash point', point);
      else if (killed) hooks.died('at random', undefined);
      else hooks.fault(`${name} ended by itself (${code ?? signal}): ${words}`);
      if (!held) timer = setTimeout(start, hooks.pause());
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
    async hold() {
      held = true;
      clearTimeout(timer);
      this.kill();
      await ended;
    },
    release() {
      held = false;
      if (!stopping) start();
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
