import { type ClientMessage, TributaryError } from '@tributary/protocol';
import { expect, test } from 'vitest';
import { announceMessage, createNode, partnerIdentities, proposal } from '../session/fixtures.ts';
import type { LedgerRecord } from '../session/ledger.ts';
import type { Jobs } from './jobs.ts';
import { createLoop } from './loop.ts';

const identities = partnerIdentities(5);

/** A node that is announced an attempt, and whose disk answers when `answer` is called. */
async function announced() {
  const done: string[] = [];
  const appended: LedgerRecord[] = [];
  let answer: (error?: TributaryError) => void = () => {};
  const { state, context } = createNode(identities[0]!, identities);
  const ledger = {
    load: async () => [],
    close: async () => {},
    append: (record: LedgerRecord) =>
      new Promise<void>((resolve, reject) => {
        appended.push(record);
        answer = (error) => (error ? reject(error) : resolve());
      }),
  };
  const jobs = { train: () => done.push('train'), forget: () => done.push('forget') } as unknown as Jobs;
  const send = ({ type }: ClientMessage) => void done.push(type);
  const loop = createLoop(state, { context, ledger, now: () => 1, send, emit: () => {} }, () => jobs);
  loop.submit({ type: 'message', message: proposal() });
  loop.submit({ type: 'message', message: announceMessage() });
  // Everything that does not wait for the disk has happened by then.
  await new Promise((resolve) => setImmediate(resolve));
  return { loop, done, appended, answer: (error?: TributaryError) => answer(error) };
}

test('begins no effect before the record ahead of it is durable', async () => {
  const { loop, done, appended, answer } = await announced();
  expect(appended).toMatchObject([{ type: 'announced' }]);
  expect(done).toEqual(['consent']);
  answer();
  await loop.idle();
  expect(done).toEqual(['consent', 'progress', 'train']);
});

test('leaves the attempt whose record the disk refuses, and does nothing of what was to follow', async () => {
  const { done, appended, answer } = await announced();
  answer(new TributaryError('storage-failed', 'The disk is full.'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(done).toEqual(['consent', 'forget', 'leave']);
  expect(appended.map(({ type }) => type)).toEqual(['announced', 'refused']);
  answer();
});
