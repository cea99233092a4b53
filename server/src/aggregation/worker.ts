/** Entry of the aggregation worker: one job after the other, so the folds of an attempt are done before its sum. */
import { parentPort } from 'node:worker_threads';
import { asTributaryError, type Problem } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import { layoutOf } from '@tributary/protocol/ring';
import { createFolds } from './fold.ts';
import type { Job, SumAnswer } from './jobs.ts';
import { finishSum } from './sum.ts';

export type Reply =
  | { readonly id: number; readonly ok: true; readonly answer: SumAnswer | null }
  | { readonly id: number; readonly ok: false; readonly problem: Problem; readonly cause: string };

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread.');
const folds = createFolds();

function run(job: Job): SumAnswer | null {
  switch (job.type) {
    case 'fold':
      folds.add(job.attempt, job.length, job);
      crashPoint('coordinator.fold.done');
      return null;
    case 'sum': {
      const { length } = layoutOf(job.parameters, job.scales.length);
      const accumulator = folds.take(job.attempt, length, job.survivors);
      try {
        const answer = finishSum(job, accumulator);
        crashPoint('coordinator.sum.known');
        return answer;
      } finally {
        folds.giveBack(accumulator);
      }
    }
    case 'discard':
      folds.discard(job.attempt);
      return null;
    default:
      return job satisfies never;
  }
}

port.on('message', ({ id, job }: { id: number; job: Job }) => {
  try {
    const answer = run(job);
    const reply: Reply = { id, ok: true, answer };
    port.postMessage(reply, answer ? [answer.file.buffer] : []);
  } catch (error) {
    // Errors lose their class on the way to the main thread; the stack is for the log.
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const reply: Reply = { id, ok: false, problem: asTributaryError(error).toProblem(), cause };
    port.postMessage(reply);
  }
});
