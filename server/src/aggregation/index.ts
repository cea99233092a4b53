/** The aggregation worker seen from the main thread: folding and unmasking never hold up sockets or heartbeats. */
import { Worker } from 'node:worker_threads';
import { TributaryError } from '@tributary/protocol';
import type { AtRest } from './files.ts';
import type { FoldJob, Job, SumAnswer, SumJob } from './jobs.ts';
import type { Reply } from './worker.ts';

export type { FoldJob, SumAnswer, SumJob } from './jobs.ts';

export interface Aggregation {
  /** Adds a durable update to its attempt's accumulator. @throws storage-failed */
  fold(job: Omit<FoldJob, 'type'>): Promise<void>;
  /** @throws sum-corrupt, not-finite, storage-failed */
  sum(job: Omit<SumJob, 'type'>): Promise<SumAnswer>;
  discard(attempt: string): Promise<void>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(answer: SumAnswer | null): void;
  reject(error: Error): void;
}

/** @param key of the files that it reads */
export function startAggregation(key: AtRest = null): Aggregation {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let next = 0;

  /** A worker that dies fails its jobs; the next job starts a new one, which folds again from the spool. */
  function alive(): Worker {
    if (worker) return worker;
    const started = new Worker(new URL('./worker.js', import.meta.url), { workerData: key });
    started.on('message', (reply: Reply) => {
      const entry = waiting.get(reply.id);
      waiting.delete(reply.id);
      if (reply.ok) entry?.resolve(reply.answer);
      else
        entry?.reject(new TributaryError(reply.problem.code, reply.problem.message, { cause: reply.cause }));
    });
    const died = (cause: unknown): void => {
      if (worker === started) worker = null;
      const error = new TributaryError('internal', 'The aggregation worker ended.', { cause });
      for (const entry of waiting.values()) entry.reject(error);
      waiting.clear();
    };
    started.on('error', died);
    started.on('exit', died);
    worker = started;
    return started;
  }

  function ask(job: Job): Promise<SumAnswer | null> {
    return new Promise((resolve, reject) => {
      const id = next++;
      const target = alive();
      waiting.set(id, { resolve, reject });
      target.postMessage({ id, job });
    });
  }

  return {
    async fold(job) {
      await ask({ type: 'fold', ...job });
    },
    async sum(job) {
      const answer = await ask({ type: 'sum', ...job });
      if (!answer) throw new TributaryError('internal', 'The aggregation worker gave no sum.');
      return answer;
    },
    async discard(attempt) {
      if (worker) await ask({ type: 'discard', attempt });
    },
    async close() {
      await worker?.terminate();
    },
  };
}
