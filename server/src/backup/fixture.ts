/**
 * A data folder with two published rounds and an open attempt that has one update, for tests; models and updates are words
 * instead of weights.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toBase64 } from '@tributary/protocol';
import { createLiveRun } from '../coordinator/live-run.ts';
import { createLoop, toRow } from '../coordinator/loop.ts';
import { context, createWorld } from '../round/fixtures.ts';
import { createRun, MACHINE_VERSION } from '../round/index.ts';
import { hash, invited } from '../storage/fixtures.ts';
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
  for (const { id: member, name } of world.partners) {
    await store.invite(invited(name, name));
    await store.enrol(hash(name), member, 1000);
    world.take({ type: 'consent', member });
  }
  for (let round = 1; round <= 2; round++) {
    world.open();
    world.settle();
    world.sum();
    world.inbox = [];
  }
  world.open();
  let updates = 0;
  world.settle((input) => {
    if (input.type !== 'update' || updates++ > 0) return input.type === 'update';
    const spool = join(folder, 'spool', input.attempt);
    mkdirSync(spool, { recursive: true });
    writeFileSync(join(spool, input.member), `update of ${input.member} in ${input.attempt}`);
    return false;
  });
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
