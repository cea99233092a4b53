/** A crash between a partner's row and the journals of the runs that it is in. */
import { pino } from 'pino';
import { expect, it } from 'vitest';
import type { Aggregation } from '../aggregation/index.ts';
import { context, createWorld, testPlan } from '../round/fixtures.ts';
import { hash, invited, key } from '../storage/fixtures.ts';
import type { Spool, Store } from '../storage/ports.ts';
import { createCoordinator } from './coordinator.ts';
import { createEngines } from './engines.ts';
import { storeOf } from './fixtures.ts';
import { resumeAll } from './resume-all.ts';
import { createStartUp } from './start-up.ts';

const log = pino({ level: 'silent' });
const signatures = { old: 'A'.repeat(86), new: 'A'.repeat(86) };

/** Five members have sent their vectors and been told U3; then `change` was the last that reached the disk. */
async function restarted(change: (store: Store, member: string, name: string) => Promise<unknown>) {
  const world = createWorld(5, testPlan());
  for (const { id } of world.partners) world.take({ type: 'consent', member: id });
  world.open();
  world.settle(({ type }) => type === 'agree');
  const store = await storeOf(world);
  for (const { id, name } of world.partners) {
    await store.invite(invited(name, name));
    await store.enrol(hash(name), id, 1500);
  }
  const [member] = world.partners;
  await change(store, member!.id, member!.name);
  // The disk has every vector; nothing is summed here.
  const spool = { path: () => '', holds: async () => true, list: async () => [], remove: async () => {} };
  const aggregation = { fold: async () => {}, discard: async () => {} };
  const startUp = createStartUp();
  const coordinator = createCoordinator({
    ...{
      store,
      spool: spool as unknown as Spool,
      log,
      identity: context.identity,
      epoch: 1,
      engines: createEngines(),
    },
    ...{
      blobs: {} as never,
      aggregation: aggregation as unknown as Aggregation,
      blobPath: () => '',
      onModel: () => {},
    },
  });
  coordinator.useSessions({ send: () => false, broadcast: () => {}, has: () => false });
  await resumeAll({
    ...{
      store,
      spool: spool as unknown as Spool,
      log,
      coordinator,
      startUp,
      crypto: context.crypto,
      identity: context.identity,
    },
    ...{ collect: async () => [], isSound: async () => true },
  });
  const { state } = [...coordinator.runs.values()][0]!;
  await coordinator.stop();
  return { stage: state.stage.kind, asked: Object.keys(state.answers).includes(member!.id) };
}

const rotate = (store: Store, old: string, next = key()) =>
  store.rotate({ rotation: { subject: 'member', coordinator: old, old, new: next, time: 1 }, signatures });

it('a key that was rotated leaves its vector in the sum, and is asked nothing more', async () => {
  expect(await restarted((store, member) => rotate(store, member))).toEqual({
    stage: 'attempt',
    asked: false,
  });
});

it.each<[string, Parameters<typeof restarted>[0]]>([
  ['suspended', (store, _, name) => store.setPartnerStatus(name, 'suspended')],
  [
    'rotated and suspended',
    async (store, member, name) => {
      await rotate(store, member);
      await store.setPartnerStatus(name, 'suspended');
    },
  ],
  [
    'rotated and removed',
    async (store, member, name) => {
      await rotate(store, member);
      await store.removePartner(name);
    },
  ],
])('a partner that was %s makes the attempt void', async (_, change) => {
  expect(await restarted(change)).toEqual({ stage: 'gathering', asked: false });
});
