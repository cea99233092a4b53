/** The built-in Trainer: tfjs in a worker thread that can be ended at any instant. */
import { TributaryError } from '@tributary/protocol';
import type { DataSource } from '../../data/dataset.ts';
import type { EngineChoice, EngineName } from '../engine/names.ts';
import type { EvaluationTask, Trainer } from '../port.ts';
import { createTaskQueue } from '../task-queue.ts';
import type { WorkerRequest, WorkerSetup } from './messages.ts';
import { type Answer, startThread, type TrainingThread } from './thread.ts';

export interface TfjsTrainerOptions {
  readonly data: DataSource;
  /** Folder that relative paths in `data` start from. */
  readonly folder: string;
  /** `auto` unless said otherwise: native where it is installed, else wasm. */
  readonly engine?: EngineChoice;
}

/**
 * Starts the training thread and its engine; the data is read when the first task says which features it wants.
 * Tasks run one after the other. A thread that crashed or was aborted is replaced by the next task.
 * @throws TributaryError training-failed when the engine does not start
 */
export async function createTfjsTrainer({
  data,
  folder,
  engine = 'auto',
}: TfjsTrainerOptions): Promise<Trainer> {
  let thread: TrainingThread = await startThread({ data, folder, engine });
  // A thread that replaces another trains with the engine that was reported.
  const setup: WorkerSetup = { data, folder, engine: thread.engine.name as EngineName };
  const queue = createTaskQueue();
  let closed = false;

  async function run(task: EvaluationTask, request: WorkerRequest, onProgress = (_: number) => {}) {
    const { signal } = task;
    signal?.throwIfAborted();
    if (closed) throw closedError();
    if (!thread.alive) thread = await startThread(setup);
    const used = thread;
    const onAbort = () => void used.end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await used.ask(request, onProgress);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    engine: thread.engine.name,
    speed: thread.engine.speed,
    remarks: thread.passedOver,
    train: (task) =>
      queue(task.signal, async () => {
        const { plan, seed, splitSeed, onProgress } = task;
        const request: WorkerRequest = { kind: 'train', plan, weights: copyOf(task), seed, splitSeed };
        const answer = expect('trained', await run(task, request, onProgress));
        return { values: answer.values, samples: answer.samples, loss: answer.loss, holdout: answer.holdout };
      }),
    evaluate: (task) =>
      queue(task.signal, async () => {
        const request: WorkerRequest = { kind: 'evaluate', plan: task.plan, weights: copyOf(task) };
        return expect('evaluated', await run(task, request)).evaluation;
      }),
    async close() {
      closed = true;
      await thread.end(closedError());
    },
  };
}

function closedError(): TributaryError {
  return new TributaryError('training-failed', 'The trainer is closed.');
}

/** The caller keeps its weights: a copy is made to be transferred. */
function copyOf({ weights }: EvaluationTask) {
  return { tensors: weights.tensors, values: weights.values.slice() };
}

function expect<Kind extends Answer['kind']>(kind: Kind, answer: Answer): Extract<Answer, { kind: Kind }> {
  if (answer.kind !== kind)
    throw new TributaryError('training-failed', `The training thread answered ${answer.kind}, not ${kind}.`);
  return answer as Extract<Answer, { kind: Kind }>;
}
