/** Entry of the aggregation worker: one job after the other, so the folds of an attempt are done before its sum. */
import { parentPort, workerData } from 'node:worker_threads';
import { asTributaryError, type Problem } from '@tributary/protocol';
import { type AtRest, openerOf } from './files.ts';
import type { Job, SumAnswer } from './jobs.ts';
import { createRunner } from './runner.ts';

export type Reply =
  | { readonly id: number; readonly ok: true; readonly answer: SumAnswer | null }
  | { readonly id: number; readonly ok: false; readonly problem: Problem; readonly cause: string };

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread.');
const run = createRunner(openerOf(workerData as AtRest));

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
