import { expect, test } from 'vitest';
import { createInTurn } from './in-turn.ts';

test('of a flood of lists the newest is worked on, one at a time', async () => {
  const turns = createInTurn();
  const done: number[] = [];
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  turns.add(() => held);
  const note = turns.newest(async (value: number) => void done.push(value));
  for (let i = 0; i < 10_000; i++) note(i);
  await Promise.resolve();
  release();
  await turns.idle();
  note(10_000);
  await turns.idle();
  expect(done).toEqual([9999, 10_000]);
});

test('of a flood of jobs a hundred wait, and one that fails holds nobody up', async () => {
  const turns = createInTurn();
  let done = 0;
  const taken = Array.from({ length: 1000 }, () =>
    turns.add(async () => {
      if (++done === 1) throw new Error('the disk is full');
    }),
  );
  expect(taken.filter(Boolean)).toHaveLength(100);
  await turns.idle();
  expect(done).toBe(100);
  expect(turns.add(async () => {})).toBe(true);
});
