import { identityFromSeed } from '@tributary/protocol';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { context, createWorld, testPlan } from '../round/fixtures.ts';
import { type RunState, resendTo, step } from '../round/index.ts';
import { storeOf } from './fixtures.ts';
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
  const store = await storeOf(world);
  const { id } = world.state;

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
