import { identityFromSeed } from '@tributary/protocol';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { context, createWorld, testPlan } from '../round/fixtures.ts';
import { createRun, MACHINE_VERSION, type RunState, resendTo, stateHash, step } from '../round/index.ts';
import { createMemoryStore } from '../storage/memory.ts';
import { createLiveRun } from './live-run.ts';
import { toRow } from './loop.ts';
import { recoverRuns } from './recover.ts';
import { voidForKey } from './void-for-key.ts';

const log = pino({ level: 'silent' });
/** The coordinator under its new key. */
const after = { ...context, identity: identityFromSeed(context.crypto, new Uint8Array(32).fill(99)) };

it('an attempt with vectors is void, and nodes may still abandon it under the old key', async () => {
  const world = createWorld(5, testPlan());
  world.open();
  const late = new Set(world.partners.slice(3).map(({ id }) => id));
  world.settle((input) => input.type === 'update' && late.has(input.member));
  const store = createMemoryStore();
  const { id, plan, planHash, parameters, head } = world.state;
  let state = createRun({ id, plan, planHash, parameters, model: head.model, weights: head.weights });
  const row = toRow(state, createLiveRun(state, 0, 1, head.model, 1));
  await store.commit({
    ...{ epoch: 1, runs: [row], snapshots: [{ run: id, seq: 0, machine: MACHINE_VERSION, state }] },
  });
  const journal = world.journal.map(({ input, now }, i) => {
    state = step(state, input, now, context).state;
    const hash = stateHash(context.crypto, state);
    return { run: id, seq: i + 1, time: now, machine: MACHINE_VERSION, input, stateHash: hash };
  });
  await store.commit({ epoch: 1, journal });

  expect(await voidForKey({ ...context, store, log }, 2000)).toEqual([id]);
  expect(await store.voids(id)).toMatchObject([{ attempt: 1, code: 'key-rotated', time: 2000 }]);
  expect(await store.journal(id)).toEqual([]);
  const [run] = await recoverRuns({ ...after, store, log });
  expect(run?.state).toMatchObject({ stage: { kind: 'gathering' }, attempts: 1 });
  expect(run?.state.voided).toMatchObject([{ coordinator: context.identity.id }]);

  const signed = world.partners.flatMap((partner) =>
    resendTo(run!.state, partner.id).flatMap((message) => partner.answer(message)),
  );
  expect(signed).toHaveLength(5);
  const take = (from: RunState, under: typeof context) =>
    signed.reduce((last, input) => step(last, input, 3000, under).state, from);
  expect(Object.keys(take(run!.state, after).voided![0]!.signatures)).toHaveLength(5);
  const forgotten = { ...run!.state, voided: run!.state.voided!.map(({ coordinator: _, ...rest }) => rest) };
  expect(() => take(forgotten, after)).toThrow(expect.objectContaining({ code: 'bad-signature' }));
});
