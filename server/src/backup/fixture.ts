/** A data folder with two published rounds and an open attempt, for tests; models are words instead of weights. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64 } from '@tributary/protocol';
import { createLiveRun } from '../coordinator/live-run.ts';
import { createLoop, toRow } from '../coordinator/loop.ts';
import { context, createWorld } from '../round/fixtures.ts';
import { createRun, MACHINE_VERSION } from '../round/index.ts';
import { hash } from '../storage/fixtures.ts';
import { IDENTITY_FILE } from '../storage/sqlite/open.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';

export async function writeDataFolder(folder: string): Promise<void> {
  const store = await openSqliteStore(folder);
  writeFileSync(join(folder, IDENTITY_FILE), `${toBase64(context.identity.seed)}\n`, { mode: 0o600 });
  mkdirSync(join(folder, 'blobs'));
  for (const text of ['model 0', 'model 1', 'model 2'])
    writeFileSync(join(folder, 'blobs', hash(text)), text);
  const world = createWorld(3);
  const { id, plan, planHash, parameters, head } = world.state;
  const state = createRun({ id, plan, planHash, parameters, model: head.model, weights: head.weights });
  for (const { id: member } of world.partners) world.take({ type: 'consent', member });
  for (let round = 1; round <= 2; round++) {
    world.open();
    world.settle();
    world.sum();
    world.inbox = [];
  }
  world.open();
  world.settle(({ type }) => type === 'update');
  const run = createLiveRun(state, 0, 1, head.model, 1);
  await store.commit({
    epoch: 1,
    runs: [toRow(state, run)],
    snapshots: [{ run: id, seq: 0, machine: MACHINE_VERSION, state }],
  });
  let time = 0;
  const loop = createLoop({
    ...{ store, ...context, epoch: () => 1, now: () => time },
    perform: () => {},
    moved: () => {},
  });
  for (const { input, now } of world.journal) {
    time = now;
    await loop.submit(run, input);
  }
  await store.close();
}
