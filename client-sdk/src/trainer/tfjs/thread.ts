/** One training thread from start to end, and the one request that it may be working on. */
import { Worker } from 'node:worker_threads';
import { type EngineReport, TributaryError } from '@tributary/protocol';
import { silenceTensorFlow } from '../engine/native.ts';
import type { WorkerReply, WorkerRequest, WorkerSetup } from './messages.ts';

/** The last reply to a request: what a task resolves to. */
export type Answer = Exclude<WorkerReply, { kind: 'ready' | 'progress' | 'failed' }>;

export interface TrainingThread {
  readonly engine: EngineReport;
  /** Why better engines were not taken. */
  readonly passedOver: readonly string[];
  /** False once it failed, crashed or was ended: start another. */
  readonly alive: boolean;
  /**
   * Weights of the request are transferred.
   * @throws TributaryError as the thread reports it; training-failed when the thread dies
   */
  ask(request: WorkerRequest, onProgress: (done: number) => void): Promise<Answer>;
  /** Ends it in the middle of whatever it does; a pending `ask` rejects with `reason`. */
  end(reason: unknown): Promise<void>;
}

type Ready = Extract<WorkerReply, { kind: 'ready' }>;

interface Pending<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly onProgress: (done: number) => void;
}

/** @throws TributaryError training-failed when the engine does not start */
export function startThread(setup: WorkerSetup): Promise<TrainingThread> {
  silenceTensorFlow();
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: setup });
  let alive = true;
  let starting: Pending<TrainingThread> | undefined;
  let working: Pending<Answer> | undefined;

  const settle = (how: (pending: Pending<Answer>) => void) => {
    const pending = working;
    working = undefined;
    // An idle training thread must not keep the process alive; a working one must.
    worker.unref();
    if (pending) how(pending);
  };
  const die = (reason: unknown) => {
    alive = false;
    starting?.reject(reason);
    settle((pending) => pending.reject(reason));
  };
  const failed = (why: string) => new TributaryError('training-failed', `The training thread ${why}.`);

  worker.on('error', (error) => die(failed(`failed: ${error.message}`)));
  worker.on('exit', (code) => die(failed(`ended with code ${code}`)));
  worker.on('message', (reply: WorkerReply) => {
    switch (reply.kind) {
      case 'ready':
        worker.unref();
        return starting?.resolve(threadOf(reply));
      case 'progress':
        return working?.onProgress(reply.done);
      case 'failed':
        // Whatever failed, nothing of the thread is used again: its engine may be out of memory or half built.
        die(new TributaryError(reply.code, reply.message, reply.remedy ? { remedy: reply.remedy } : {}));
        return void worker.terminate();
      case 'trained':
      case 'evaluated':
        return settle(({ resolve }) => resolve(reply));
    }
  });

  const threadOf = ({ engine, passedOver }: Ready): TrainingThread => ({
    ...{ engine, passedOver },
    get alive() {
      return alive;
    },
    ask: (request, onProgress) =>
      new Promise((resolve, reject) => {
        working = { resolve, reject, onProgress };
        worker.ref();
        worker.postMessage(request, [request.weights.values.buffer as ArrayBuffer]);
      }),
    async end(reason) {
      die(reason);
      await worker.terminate();
    },
  });
  return new Promise((resolve, reject) => {
    starting = { resolve, reject, onProgress: () => {} };
  });
}
