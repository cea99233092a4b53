/** Seeds over threads: one at a time in each. */
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { type Outcome, simulate } from './simulation.ts';

/** What a seed leaves behind dies young: fewer, larger collections. Megabytes. */
const YOUNG_MB = 64;

/** Also in this thread, where only one is asked for. */
export async function simulateAll(
  seeds: readonly number[],
  threads: number,
  done: (outcome: Outcome) => void,
): Promise<void> {
  const queue = [...seeds].reverse();
  const work = async (run: (seed: number) => Promise<Outcome>): Promise<void> => {
    for (let seed = queue.pop(); seed !== undefined; seed = queue.pop()) done(await run(seed));
  };
  if (threads === 1 || seeds.length === 1) return work(simulate);
  const workers = Array.from({ length: Math.min(threads, seeds.length) }, startWorker);
  await Promise.all(workers.map(({ run }) => work(run)));
  await Promise.all(workers.map(({ worker }) => worker.terminate()));
}

function startWorker(): { worker: Worker; run: (seed: number) => Promise<Outcome> } {
  const worker = new Worker(new URL(import.meta.url), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  const run = (seed: number): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      worker.removeAllListeners();
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.postMessage(seed);
    });
  return { worker, run };
}

if (!isMainThread && parentPort) {
  const port = parentPort;
  port.on('message', async (seed: number) => port.postMessage(await simulate(seed)));
}
