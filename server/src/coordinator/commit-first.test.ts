import { TributaryError } from '@tributary/protocol';
import { expect, it } from 'vitest';
import { context, createWorld } from '../round/fixtures.ts';
import { createMemoryStore } from '../storage/memory.ts';
import type { Commit } from '../storage/ports.ts';
import { createLiveRun } from './live-run.ts';
import { createLoop } from './loop.ts';

/** A loop whose disk answers when `answer` is called. */
function opening() {
  const world = createWorld(3);
  for (const { id: member } of world.partners) world.take({ type: 'consent', member });
  const run = createLiveRun(world.state, 1, 1, 'model', 1);
  const done: string[] = [];
  const commits: Commit[] = [];
  let answer: (error?: TributaryError) => void = () => {};
  const store = {
    ...createMemoryStore(),
    commit: (commit: Commit) =>
      new Promise<void>((resolve, reject) => {
        commits.push(commit);
        answer = (error) => (error ? reject(error) : resolve());
      }),
  };
  const loop = createLoop({
    ...{ store, ...context, epoch: () => 1 },
    perform: (_, { type }) => done.push(type),
    moved: () => done.push('moved'),
  });
  const invited = world.partners.map(({ id: member, name }) => ({ member, name }));
  const before = run.state;
  const taken = loop
    .submit(run, { type: 'open', nonce: 'A'.repeat(22), epoch: 1, invited })
    .then(() => done.push('acknowledged'));
  const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return { run, before, done, commits, taken, settled, answer: (error?: TributaryError) => answer(error) };
}

it('sends and acknowledges nothing before the journal holds it', async () => {
  const { run, before, done, commits, taken, settled, answer } = opening();
  await settled();
  expect(commits).toMatchObject([{ journal: [{ seq: 2, input: { type: 'open' } }] }]);
  expect(done).toEqual([]);
  expect(run.state).toBe(before);
  answer();
  await taken;
  expect(done).toEqual(['run-changed', 'event', 'send', 'moved', 'acknowledged']);
  expect(run.state.stage.kind).toBe('attempt');
});

it('what the disk refuses has not happened', async () => {
  const { run, before, done, taken, settled, answer } = opening();
  await settled();
  answer(new TributaryError('storage-failed', 'The disk is full.'));
  await expect(taken).rejects.toMatchObject({ code: 'storage-failed' });
  expect(done).toEqual([]);
  expect(run.state).toBe(before);
});
