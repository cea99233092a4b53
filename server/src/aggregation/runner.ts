/** One job after the other, so the folds of an attempt are done before its sum. */
import { crashPoint } from '@tributary/protocol/node';
import { layoutOf } from '@tributary/protocol/ring';
import { type OpenForReading, openOnDisk } from './files.ts';
import { createFolds } from './fold.ts';
import type { Job, SumAnswer } from './jobs.ts';
import { finishSum } from './sum.ts';

export function createRunner(open: OpenForReading = openOnDisk): (job: Job) => SumAnswer | null {
  const folds = createFolds(open);
  return (job) => {
    switch (job.type) {
      case 'fold':
        folds.add(job.attempt, job.length, job);
        crashPoint('coordinator.fold.done');
        return null;
      case 'sum': {
        const { length } = layoutOf(job.parameters, job.scales.length);
        const accumulator = folds.take(job.attempt, length, job.survivors);
        try {
          const answer = finishSum(job, accumulator, open);
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
  };
}
