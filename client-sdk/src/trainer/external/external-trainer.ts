/**
 * A Trainer in a process of its own, in any language: the partner's program, over standard input and output
 * (client-sdk/TRAINER.md). It is chosen in node.yaml or by the caller, never by a coordinator.
 */
import { resolve } from 'node:path';
import { TributaryError, toHex } from '@tributary/protocol';
import type { DataSource } from '../../data/dataset.ts';
import type { EvaluationTask, Trainer, TrainingTask } from '../port.ts';
import { createTaskQueue } from '../task-queue.ts';
import { createExchange, readModel, writeModel } from './exchange.ts';
import {
  type Answer,
  checkAnswer,
  checkCapable,
  type Evaluated,
  misbehaved,
  quote,
  type Trained,
} from './messages.ts';
import { type ProgramTimes, startProgram, type TrainerProgram } from './program.ts';

export interface ExternalTrainerOptions {
  /** Program and arguments, as they are: there is no shell. */
  readonly command: readonly string[];
  /** Folder that the program starts in, and that relative paths in `data` start from. */
  readonly cwd: string;
  /** Added to PATH, HOME, LANG and TMPDIR, which are all that the program gets of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Told to the program, which reads its rows itself. */
  readonly data?: DataSource | undefined;
  /** Where the private folder for weights is made; the system's temporary folder unless given. */
  readonly scratch?: string;
  /** Called with each line for the owner's log: the program's standard error, bounded, and its ends. */
  readonly onLog?: (line: string) => void;
  readonly times?: Partial<ProgramTimes>;
}

export interface ExternalTrainer extends Trainer {
  /** Of the program, as it says. */
  readonly version: string;
}

const TIMES: ProgramTimes = { hello: 30_000, cancel: 3_000, exit: 2_000 };

/**
 * Starts the program. Tasks run one after the other; a program that ended, misbehaved or did not obey is replaced by
 * the next task.
 * @throws training-failed when the program does not start or says no proper hello; storage-failed
 */
export async function createExternalTrainer(options: ExternalTrainerOptions): Promise<ExternalTrainer> {
  const { command, cwd, env = {}, data, onLog = () => {} } = options;
  const closing = new AbortController();
  const start = () =>
    startProgram({
      ...{ command, cwd, env, tell: onLog, signal: closing.signal },
      data: data ? absolute(data, cwd) : null,
      times: { ...TIMES, ...options.times },
    });
  const exchange = await createExchange(options.scratch);
  let program: TrainerProgram;
  try {
    program = await start();
  } catch (thrown) {
    await exchange.close();
    throw thrown;
  }
  const { name, version, speed = 'medium' } = program.hello;
  const queue = createTaskQueue();
  let tasks = 0;

  async function restart(): Promise<void> {
    program = await start();
    if (program.hello.name === name) return;
    const other = program.hello.name;
    await program.end(undefined);
    throw misbehaved(`calls itself ${quote(other)}, it was started as ${quote(name)}`);
  }

  async function ask(
    task: EvaluationTask,
    id: number,
    training?: TrainingTask,
  ): Promise<{ answer: Answer; output: string }> {
    const { signal, plan } = task;
    if (!program.alive) await restart();
    checkCapable(program.hello, plan);
    const { weights, output } = exchange.pathsOf(id);
    await writeModel(weights, task.weights);
    signal?.throwIfAborted();
    closing.signal.throwIfAborted();
    let cancelled: Promise<void> | undefined;
    const onAbort = () => {
      cancelled = program.cancel(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const answer = await (training
        ? program.ask(
            {
              ...{ type: 'train', id, plan, weights, output },
              seed: toHex(training.seed),
              splitSeed: toHex(training.splitSeed),
            },
            training.onProgress ?? (() => {}),
          )
        : program.ask({ type: 'evaluate', id, plan, weights }, () => {}));
      checkAnswer(answer, plan);
      return { answer, output };
    } finally {
      signal?.removeEventListener('abort', onAbort);
      // The next task waits for it; whoever aborted does not.
      await cancelled;
    }
  }

  function run<T>(task: EvaluationTask, job: (id: number) => Promise<T>): Promise<T> {
    return queue(task.signal, async () => {
      task.signal?.throwIfAborted();
      closing.signal.throwIfAborted();
      tasks += 1;
      const id = tasks;
      try {
        return await job(id);
      } finally {
        await exchange.forget(id);
      }
    });
  }

  return {
    engine: `external:${name}`,
    speed,
    version,
    train: (task) =>
      run(task, async (id) => {
        const { answer, output } = await ask(task, id, task);
        const { samples, loss, holdout, weights } = answer as Trained;
        if (weights !== output)
          throw misbehaved(`wrote its weights to ${quote(weights)}, not to the path that it was given`);
        return { values: await readModel(output, task.weights.tensors), samples, loss, holdout };
      }),
    evaluate: (task) =>
      run(task, async (id) => {
        const { count, loss, metrics } = (await ask(task, id)).answer as Evaluated;
        return { count, loss, metrics };
      }),
    async close() {
      const closed = new TributaryError('training-failed', 'The trainer is closed.');
      closing.abort(closed);
      await program.end(closed);
      await exchange.close();
    },
  };
}

function absolute(data: DataSource, folder: string): DataSource {
  if (data.kind === 'idx')
    return { ...data, images: resolve(folder, data.images), labels: resolve(folder, data.labels) };
  return { ...data, path: resolve(folder, data.path) };
}
