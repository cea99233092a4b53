/** The demo's processes: started, read line by line, and every one of them ended whatever happens. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Lines of a child that are kept to tell why it ended. */
const KEPT_LINES = 12;
/** Given to a child to end by itself before it is killed: milliseconds. */
const GOODBYE_MS = 4000;

/** Between a signal to the whole terminal and our own handler, at most: milliseconds. */
const SIGNAL_MS = 250;

export interface ChildSpec {
  /** Shown to people, and the name of its log. */
  readonly name: string;
  /** Arguments of node: options, script, its arguments. */
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => unknown;
  /** Lines that hold secrets: not kept, and not written into the log. */
  readonly keepOut?: (line: string) => boolean;
  readonly onMessage?: (message: unknown) => void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves when it has ended and its output is read. */
  readonly exited: Promise<Exit>;
  /** Its end is no fault from now on. */
  expected: boolean;
  /** The last lines it wrote, standard output and standard error together. */
  lastLines(): readonly string[];
}

export interface Children {
  start(spec: ChildSpec): Child;
  /** Rejects with ChildFailed when a child ends that should not; never resolves. */
  readonly failure: Promise<never>;
  /** Asks all to end, kills those that do not, resolves when none is left. */
  stop(): Promise<void>;
  /** SIGKILL to all, at once. */
  killNow(): void;
}

/** A process ended that should not have. */
export class ChildFailed extends Error {
  readonly lines: readonly string[];
  readonly remedy: string;

  constructor({ name, lastLines }: Pick<Child, 'name' | 'lastLines'>, { code, signal }: Exit) {
    const lines = lastLines();
    const problem = problemIn(lines.at(-1));
    super(`${name} ended with ${signal ?? `exit code ${code}`}${problem ? `: ${problem.message}` : '.'}`);
    this.name = 'ChildFailed';
    this.lines = problem ? [] : lines;
    this.remedy = problem?.remedy ?? 'Try again with --data DIR: the logs of all processes stay in DIR/logs.';
  }
}

/** What `tributary --json` says last when it fails. */
function problemIn(line = ''): { message: string; remedy: string } | undefined {
  try {
    const { message, remedy } = JSON.parse(line) as Record<string, unknown>;
    if (typeof message === 'string' && typeof remedy === 'string') return { message, remedy };
  } catch {
    // Words for people.
  }
  return undefined;
}

/** @param logs folder for one log per child */
export function createChildren(logs: string): Children {
  const living = new Set<Child>();
  let stopping = false;
  let fail: (error: ChildFailed) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever waits for something else sees it; nobody may be waiting at the moment.
  failure.catch(() => {});

  function start(spec: ChildSpec): Child {
    if (stopping) throw new Error(`${spec.name} is not started: the demo is ending.`);
    const options: SpawnOptions = {
      // The channel carries messages as structured clones; when it breaks, the child ends (leash.ts).
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      env: { ...plainEnvironment(), ...spec.env },
    };
    const child = spawn(process.execPath, spec.args, options);
    const kept: string[] = [];
    const log = createWriteStream(join(logs, `${spec.name.replaceAll(/[^a-z0-9.-]+/gi, '-')}.log`), {
      flags: 'a',
      mode: 0o600,
    });
    log.on('error', () => {});
    const keep = (line: string): void => {
      log.write(`${line}\n`);
      if (line.trim() === '') return;
      kept.push(line);
      if (kept.length > KEPT_LINES) kept.shift();
    };
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (!spec.keepOut?.(line)) keep(line);
      spec.onLine?.(line);
    });
    createInterface({ input: child.stderr! }).on('line', keep);
    if (spec.onMessage) child.on('message', spec.onMessage);
    const exited = new Promise<Exit>((resolve) => {
      child.once('error', (error) => {
        keep(error.message);
        resolve({ code: null, signal: null });
      });
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    const entry: Child = {
      name: spec.name,
      process: child,
      exited,
      expected: false,
      lastLines: () => [...kept],
    };
    living.add(entry);
    exited.then((exit) => {
      living.delete(entry);
      log.end();
      if (entry.expected || stopping) return;
      // Ctrl-C reaches children too: whoever pressed it is to read of that, and not of them.
      setTimeout(() => fail(new ChildFailed(entry, exit)), SIGNAL_MS).unref();
    });
    return entry;
  }

  return {
    failure,
    start,
    async stop() {
      stopping = true;
      for (const child of living) child.process.kill('SIGTERM');
      const gone = Promise.all([...living].map((child) => child.exited));
      const timer = setTimeout(() => {
        for (const child of living) child.process.kill('SIGKILL');
      }, GOODBYE_MS);
      await gone;
      clearTimeout(timer);
    },
    killNow() {
      stopping = true;
      for (const child of living) child.process.kill('SIGKILL');
    },
  };
}

/** Without what would send a child to another coordinator, colour its output or change how it runs. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(TRIBUTARY_|VITEST|NODE_OPTIONS$|NODE_CHANNEL|FORCE_COLOR$)/.test(name),
  );
  return { ...Object.fromEntries(kept), NO_COLOR: '1' };
}
