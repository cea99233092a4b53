import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { context, createWorld } from '../round/fixtures.ts';
import { createRun, MACHINE_VERSION, type RoundInput, stateHash, step } from '../round/index.ts';
import { createMemoryStore } from '../storage/memory.ts';
import type { JournalEntry, Store } from '../storage/ports.ts';
import { createLiveRun } from './live-run.ts';
import { toRow } from './loop.ts';
import { recoverRuns } from './recover.ts';

const log = pino({ level: 'silent' });

/** A run whose journal holds what `inputs` did, as the loop would have written it. */
async function stored(world: ReturnType<typeof createWorld>, inputs: readonly RoundInput[]): Promise<Store> {
  const store = createMemoryStore();
  const { id, plan, planHash, parameters, head } = world.state;
  let state = createRun({ id, plan, planHash, parameters, model: head.model, weights: head.weights });
  const row = toRow(state, createLiveRun(state, 0, 1, head.model, 1));
  const snapshots = [{ run: id, seq: 0, machine: MACHINE_VERSION, state }];
  await store.commit({ epoch: 1, runs: [row], snapshots });
  const journal: JournalEntry[] = inputs.map((input, i) => {
    state = step(state, input, 1000 + i, context).state;
    const hash = stateHash(context.crypto, state);
    return { run: id, seq: i + 1, time: 1000 + i, machine: MACHINE_VERSION, input, stateHash: hash };
  });
  await store.commit({ epoch: 1, journal });
  return store;
}

function opening(world: ReturnType<typeof createWorld>): RoundInput {
  const invited = world.partners.map(({ id, name }) => ({ member: id, name }));
  return { type: 'open', nonce: 'A'.repeat(22), epoch: 1, invited };
}

describe('recovering a run', () => {
  it('replays its journal to the very state', async () => {
    const world = createWorld(3);
    const store = await stored(world, [
      opening(world),
      { type: 'restarted', damaged: ['any'] },
      opening(world),
    ]);
    const [run] = await recoverRuns({ ...context, store, log });
    expect(run).toMatchObject({ seq: 3, state: { attempts: 2, stage: { kind: 'attempt' } } });
  });

  it('whose journal does not replay goes on behind it, and announces no attempt number twice', async () => {
    const world = createWorld(3);
    const store = await stored(world, [
      opening(world),
      { type: 'restarted', damaged: ['any'] },
      opening(world),
    ]);
    const damaged: Store = {
      ...store,
      journal: async (id) =>
        (await store.journal(id)).map((entry) =>
          entry.seq === 2 ? { ...entry, stateHash: 'f'.repeat(64) } : entry,
        ),
    };
    const [run] = await recoverRuns({ ...context, store: damaged, log });
    expect(run).toMatchObject({ seq: 3, state: { attempts: 2 } });
    // The next start finds a snapshot behind the damage.
    const [again] = await recoverRuns({ ...context, store, log });
    expect(again).toMatchObject({ seq: 3, state: { attempts: 2 } });
    expect(await store.journal(world.state.id)).toEqual([]);
  });

  it('goes on with no attempt whose later history is lost: it could freeze a second survivor set', async () => {
    const world = createWorld(4);
    world.open();
    world.settle((input) => input.type === 'agree');
    expect(world.state.stage).toMatchObject({ kind: 'attempt', open: { secagg: { phase: 'agree' } } });
    const store = await stored(
      world,
      world.journal.map(({ input }) => input),
    );
    const last = world.journal.length;
    const damaged: Store = {
      ...store,
      journal: async (id) =>
        (await store.journal(id)).map((entry) =>
          entry.seq === last ? { ...entry, stateHash: 'f'.repeat(64) } : entry,
        ),
    };
    const [run] = await recoverRuns({ ...context, store: damaged, log });
    expect(run).toMatchObject({ state: { attempts: 1, stage: { kind: 'gathering' } } });
    // Nor does the start after that one.
    const [again] = await recoverRuns({ ...context, store, log });
    expect(again).toMatchObject({ seq: last, state: { attempts: 1, stage: { kind: 'gathering' } } });
  });
});
