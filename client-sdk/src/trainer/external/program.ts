/** One trainer program from start to end, and the one task that it may be working on. */
import { Socket } from 'node:net';
import { LIMITS, TributaryError } from '@tributary/protocol';
import type { DataSource } from '../../data/dataset.ts';
import { endOf, killGroup, launch } from './child.ts';
import { logStderr, oneLine, readLines } from './lines.ts';
import {
  type Answer,
  type Hello,
  misbehaved,
  type NodeMessage,
  type ProgramMessage,
  parseProgramMessage,
  quote,
  type TaskMessage,
  TRAINER_LIMITS,
  TRAINER_PROTOCOL,
} from './messages.ts';

/** How long a program may take: milliseconds. Training itself has no limit here; the coordinator's patience has. */
export interface ProgramTimes {
  /** From its start to its hello. */
  readonly hello: number;
  /** From `cancel` to an answer. */
  readonly cancel: number;
  /** From the end of its standard input to its own end. */
  readonly exit: number;
}

export interface ProgramOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** With absolute paths. */
  readonly data: DataSource | null;
  readonly times: ProgramTimes;
  /** A line for the owner's log: standard error, or what became of the program. */
  readonly tell: (line: string) => void;
  /** Ends a program that is still starting. */
  readonly signal: AbortSignal;
}

export interface TrainerProgram {
  readonly hello: Hello;
  /** False once it ended or was ended: start another. */
  readonly alive: boolean;
  /**
   * @throws TributaryError as the program reports it; training-failed, not-finite when it misbehaves or ends
   */
  ask(task: TaskMessage, onProgress: (done: number) => void): Promise<Answer>;
  /** Rejects a pending `ask` with `reason` at once; resolves when the program obeyed, or was killed for it. */
  cancel(reason: unknown): Promise<void>;
  /** Rejects a pending `ask`; asks the program to end, and kills it when it does not. */
  end(reason: unknown): Promise<void>;
}

/**
 * starting: until its hello. idle: nothing may be said. working: from a task to its answer. cancelling: from `cancel`
 * to any answer, or the kill. ended: it was killed, or ended by itself.
 */
type State =
  | {
      readonly kind: 'starting';
      readonly resolve: (hello: Hello) => void;
      readonly reject: (reason: unknown) => void;
    }
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'working';
      readonly task: TaskMessage;
      readonly resolve: (answer: Answer) => void;
      readonly reject: (reason: unknown) => void;
      readonly onProgress: (done: number) => void;
      reports: number;
    }
  | { readonly kind: 'cancelling'; readonly id: number; readonly obeyed: () => void }
  | { readonly kind: 'ended'; readonly why: unknown };

/** @throws training-failed when it cannot be started, says no hello in time, or says another one than TRAINER.md */
export async function startProgram(options: ProgramOptions): Promise<TrainerProgram> {
  const { times, tell } = options;
  options.signal.throwIfAborted();
  const child = launch(options.command, options.cwd, options.env);
  let state: State = { kind: 'ended', why: undefined };
  let timer: NodeJS.Timeout | undefined;

  const enter = (next: State): void => {
    clearTimeout(timer);
    state = next;
    // An idle program must not keep the node's process alive; a working one must.
    const streams = [child.stdin, child.stdout, child.stderr].filter((stream) => stream instanceof Socket);
    for (const handle of [child, ...streams]) {
      if (next.kind === 'idle' || next.kind === 'ended') handle.unref();
      else handle.ref();
    }
  };
  const after = (milliseconds: number, kind: State['kind'], words: string): void => {
    timer = setTimeout(() => state.kind === kind && die(misbehaved(words)), milliseconds);
  };

  /** The program is not used any more: whoever waits is told, and the caller sees to its end. */
  const settle = (reason: unknown) => {
    const before = state;
    enter({ kind: 'ended', why: reason });
    switch (before.kind) {
      case 'starting':
      case 'working':
        return before.reject(reason);
      case 'cancelling':
        tell(`${textOf(reason)} It is started again with the next task.`);
        return before.obeyed();
      case 'idle':
        return tell(`${textOf(reason)} It is started again with the next task.`);
      case 'ended':
        return;
    }
  };
  const die = (reason: unknown): void => {
    if (state.kind !== 'ended') settle(reason);
    child.stdout.destroy();
    killGroup(child);
  };

  const hear = (message: ProgramMessage) => {
    switch (state.kind) {
      case 'starting': {
        if (message.type !== 'hello') throw misbehaved(`said ${message.type} before hello`);
        const { resolve } = state;
        enter({ kind: 'idle' });
        return resolve(message);
      }
      case 'idle':
        throw misbehaved(`said ${message.type} while it had no task`);
      case 'working':
        requireTask(message, state.task.id);
        return work(state, message);
      case 'cancelling': {
        requireTask(message, state.id);
        if (message.type === 'progress') return;
        const { obeyed } = state;
        enter({ kind: 'idle' });
        return obeyed();
      }
      case 'ended':
        return;
    }
  };
  const work = (working: Extract<State, { kind: 'working' }>, message: ProgramMessage) => {
    switch (message.type) {
      case 'progress':
        working.reports += 1;
        if (working.reports > TRAINER_LIMITS.progress)
          throw misbehaved(`said progress more than ${TRAINER_LIMITS.progress} times in one task, the limit`);
        return working.onProgress(message.done);
      case 'failed':
        enter({ kind: 'idle' });
        return working.reject(new TributaryError(message.code, reasonOf(message.message)));
      case 'trained':
      case 'evaluated':
        if ((message.type === 'trained') !== (working.task.type === 'train'))
          throw misbehaved(`answered ${working.task.type} with ${message.type}`);
        enter({ kind: 'idle' });
        return working.resolve(message);
      case 'hello':
      case 'cancelled':
        throw misbehaved(`said ${message.type}, and nobody asked for it`);
    }
  };

  const stderr = logStderr(child.stderr, tell);
  readLines(child.stdout, (line) => hear(parseProgramMessage(line)), die);
  const gone = endOf(child).then((how) => {
    const last = stderr.last === '' ? '' : `; its last words: ${quote(stderr.last)}`;
    if (state.kind !== 'ended') settle(misbehaved(`${how}${last}`));
  });
  const say = (message: NodeMessage) => child.stdin.write(`${JSON.stringify(message)}\n`);

  const onAbort = () => die(options.signal.reason);
  const hello = await new Promise<Hello>((resolve, reject) => {
    enter({ kind: 'starting', resolve, reject });
    after(times.hello, 'starting', `said no hello within ${times.hello / 1000} s`);
    options.signal.addEventListener('abort', onAbort, { once: true });
    say({ type: 'setup', protocol: TRAINER_PROTOCOL, data: options.data });
  }).finally(() => options.signal.removeEventListener('abort', onAbort));

  return {
    hello,
    get alive() {
      return state.kind !== 'ended';
    },
    ask: (task, onProgress) =>
      new Promise((resolve, reject) => {
        // It may have ended since it was last asked for.
        if (state.kind === 'ended') return reject(state.why);
        stderr.refill();
        enter({ kind: 'working', task, resolve, reject, onProgress, reports: 0 });
        say(task);
      }),
    async cancel(reason) {
      if (state.kind !== 'working') return;
      const { task, reject } = state;
      await new Promise<void>((obeyed) => {
        enter({ kind: 'cancelling', id: task.id, obeyed });
        after(times.cancel, 'cancelling', `did not obey cancel within ${times.cancel / 1000} s`);
        say({ type: 'cancel', id: task.id });
        reject(reason);
      });
    },
    async end(reason) {
      if (state.kind === 'idle') enter({ kind: 'ended', why: reason });
      else if (state.kind !== 'ended') settle(reason);
      child.stdin.end();
      const patience = setTimeout(() => killGroup(child), times.exit);
      await gone;
      clearTimeout(patience);
    },
  };
}

function requireTask(message: ProgramMessage, due: number): void {
  if ('id' in message && message.id !== due)
    throw misbehaved(`said ${message.type} of task ${message.id}, while it had task ${due}`);
}

const textOf = (reason: unknown) => (reason instanceof Error ? reason.message : String(reason));

function reasonOf(text: string): string {
  const line = oneLine(text).trim().slice(0, LIMITS.reason);
  return line === '' ? 'The trainer gives no reason.' : line;
}
