/** Learns nothing; gives other values, known to the oracle, for each seed. */
import type { Trainer } from '@tributary/client-sdk';
import type { ModelWeights } from '@tributary/protocol';
import { createDice } from '../dice.ts';
import type { Life } from '../process.ts';
import type { World } from '../world.ts';
import { evaluation } from './evaluation.ts';

export function createTrainer({ ports, dice }: World, index: number, life: Life): Trainer {
  return {
    engine: 'simulated',
    speed: 'medium',
    async train({ weights, seed, signal, onProgress }) {
      const own = createDice(`${index} ${Buffer.from(seed).toString('hex')}`);
      const steps = dice.below(4);
      for (let step = 0; step < steps; step++) {
        await ports.pause(life, dice.between(50, 700));
        signal?.throwIfAborted();
        onProgress?.(step / steps);
      }
      return ports.call(life, 'trainer.train', () => ({
        values: trained(weights, own.next),
        samples: 1 + own.below(900),
        loss: own.next(),
        holdout: { count: own.below(30), loss: own.next(), metrics: {} },
      }));
    },
    async evaluate({ weights }) {
      await ports.pause(life, dice.between(50, 700));
      return ports.call(life, 'trainer.evaluate', () => evaluation(weights));
    },
    async close() {},
  };
}

function trained({ values }: ModelWeights, random: () => number): Float32Array {
  return values.map((value) => value + (random() - 0.5) * 1e-3);
}
