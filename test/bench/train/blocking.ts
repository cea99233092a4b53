/** How long the node's main thread is held up while its training thread works. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createTfjsTrainer, initialWeights, splitDigits } from '@tributary/client-sdk';
import type { Result } from '../report.ts';
import { planOf } from './nets.ts';

const GOAL_MS = 50;
const EPOCHS = 20;

export async function measureBlocking(): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-bench-'));
  try {
    await splitDigits({ partners: 5, out: folder, seed: 1, force: true });
    const library = await planOf('digits-2nn');
    const plan = { ...library, training: { ...library.training, epochs: EPOCHS } };
    const weights = await initialWeights(plan);
    const data = {
      kind: 'idx',
      images: 'train-images.idx3-ubyte',
      labels: 'train-labels.idx1-ubyte',
    } as const;
    const trainer = await createTfjsTrainer({ data, folder: join(folder, 'partner-1') });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await trainer.train({ plan, weights, seed: new Uint8Array(32), splitSeed: new Uint8Array(32) });
    delay.disable();
    await trainer.close();
    const value = delay.max / 1e6;
    return {
      name: 'main thread blocked while training',
      ...{ value, unit: 'ms', floor: null, ratio: null, goal: `<= ${GOAL_MS} ms`, met: value <= GOAL_MS },
      note: `longest pause of the event loop, ${EPOCHS} epochs of digits on ${trainer.engine}`,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
