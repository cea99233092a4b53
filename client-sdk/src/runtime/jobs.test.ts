import { expect, test } from 'vitest';
import { hash, plan } from '../session/fixtures.ts';
import type { SessionInput } from '../session/index.ts';
import { createJobs } from './jobs.ts';

test('evaluations hold one model in memory at a time, whatever becomes of the one before', async () => {
  let held = 0;
  let most = 0;
  const bulk = {
    async download({ model }: { model: string }) {
      most = Math.max(most, ++held);
      await new Promise((resolve) => setImmediate(resolve));
      if (model === hash('1')) {
        held--;
        throw new Error('no such model');
      }
      return { tensors: [], values: new Float32Array(1) };
    },
    upload: async () => true,
  };
  const trainer = {
    async evaluate() {
      await new Promise((resolve) => setImmediate(resolve));
      held--;
      return { count: 1, loss: 0, metrics: {} };
    },
  };
  const seen: SessionInput[] = [];
  const deps = { bulk, trainer, masker: {}, submit: (input: SessionInput) => void seen.push(input) };
  const jobs = createJobs(deps as unknown as Parameters<typeof createJobs>[0]);
  for (let round = 0; round < 5; round++)
    jobs.evaluate({ type: 'evaluate', run: 'run', round, model: hash(`${round}`), plan });
  await expect.poll(() => seen.length).toBe(5);
  expect(seen.map(({ type }) => type)).toEqual([
    'evaluated',
    'evaluation-failed',
    ...Array(3).fill('evaluated'),
  ]);
  expect(most).toBe(1);
});
