/** A store as a coordinator would have left it, for tests. */
import { context, type World } from '../round/fixtures.ts';
import { createRun, MACHINE_VERSION, stateHash, step } from '../round/index.ts';
import { createMemoryStore } from '../storage/memory.ts';
import type { Store } from '../storage/ports.ts';
import { createLiveRun } from './live-run.ts';
import { toRow } from './loop.ts';

/** With the world's run, and its journal from the first input on. */
export async function storeOf(world: World): Promise<Store> {
  const store = createMemoryStore();
  const { id, plan, planHash, parameters } = world.state;
  let state = createRun({ id, plan, planHash, parameters, ...initial(world) });
  const row = toRow(state, createLiveRun(state, 0, 1, state.head.model, 1));
  const snapshots = [{ run: id, seq: 0, machine: MACHINE_VERSION, state }];
  await store.commit({ epoch: 1, runs: [row], snapshots });
  const journal = world.journal.map(({ input, now }, i) => {
    state = step(state, input, now, context).state;
    const hash = stateHash(context.crypto, state);
    return { run: id, seq: i + 1, time: now, machine: MACHINE_VERSION, input, stateHash: hash };
  });
  await store.commit({ epoch: 1, journal });
  return store;
}

/** Before any round is published. */
function initial({ state: { head } }: World) {
  if (head.round > 0) throw new Error('The world has moved on.');
  return { model: head.model, weights: head.weights };
}
