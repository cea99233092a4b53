import { expect, it } from 'vitest';
import { context, createWorld } from '../round/fixtures.ts';
import { createRun, MACHINE_VERSION } from '../round/index.ts';
import { createMemoryStore } from '../storage/memory.ts';
import { COMPACT_AFTER, createLiveRun } from './live-run.ts';
import { createLoop, toRow } from './loop.ts';

it('keeps the journal bounded though a partner consents and declines for ever', async () => {
  const { id, plan, planHash, parameters, head } = createWorld(3).state;
  const state = createRun({ id, plan, planHash, parameters, model: head.model, weights: head.weights });
  const run = createLiveRun(state, 0, 1, head.model, 1);
  const store = createMemoryStore();
  await store.commit({
    epoch: 1,
    runs: [toRow(state, run)],
    snapshots: [{ run: id, seq: 0, machine: MACHINE_VERSION, state }],
  });
  const loop = createLoop({
    ...{ store, ...context, epoch: () => 1 },
    perform: () => {},
    moved: () => {},
  });
  const total = 2 * COMPACT_AFTER + 10;
  const answers = Array.from({ length: total }, (_, i) =>
    i % 2 === 0
      ? ({ type: 'consent', member: 'm' } as const)
      : ({ type: 'decline', member: 'm', code: 'policy-refused', reason: 'No.' } as const),
  );
  for (let at = 0; at < total; at += 250)
    await Promise.all(answers.slice(at, at + 250).map((answer) => loop.submit(run, answer)));
  expect(run.seq).toBe(total);
  expect((await store.journal(id)).length).toBeLessThan(COMPACT_AFTER);
  expect((await store.snapshot(id))?.seq).toBeGreaterThanOrEqual(2 * COMPACT_AFTER);
});
