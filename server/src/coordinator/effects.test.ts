import { TributaryError } from '@tributary/protocol';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Aggregation } from '../aggregation/index.ts';
import { createWorld } from '../round/fixtures.ts';
import type { Effect, RoundInput } from '../round/index.ts';
import { createPerformer, type PerformerDeps } from './effects.ts';
import { createLiveRun } from './live-run.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A run whose sum is owed; `put` and `submit` are the disk. */
function summing(put: () => Promise<string>, submit: (input: RoundInput) => Promise<void>) {
  const world = createWorld(3);
  for (const { id: member } of world.partners) world.take({ type: 'consent', member });
  world.open();
  world.settle();
  const run = createLiveRun(world.state, 1, 1, 'model', 1);
  const effect = world.effects.findLast(
    (found): found is Extract<Effect, { type: 'sum' }> => found.type === 'sum',
  )!;
  const failed: RoundInput[] = [];
  const logged: string[] = [];
  const answer = { sum: 's', weights: 'w', scalars: [], norm: 1, file: new Uint8Array(4) };
  const deps = {
    spool: { path: () => '/nowhere' },
    aggregation: { sum: async () => answer } as unknown as Aggregation,
    blobs: { put },
    engines: { ofAll: () => ({}) },
    log: pino({}, { write: (line: string) => void logged.push(line) }),
    blobPath: () => '/nowhere',
    onModel: () => {},
    submit: (_: unknown, input: RoundInput) => submit(input),
    submitQuietly: (_: unknown, input: RoundInput) => failed.push(input),
    stopping: () => false,
  } as unknown as PerformerDeps;
  return { run, failed, logged, perform: () => createPerformer(deps)(run, effect) };
}

const full = () => Promise.reject(new TributaryError('storage-failed', 'The disk is full.'));

describe('a sum that the disk has no room for', () => {
  it('waits for its place, model and transaction both: the attempt is not void', async () => {
    let [puts, submits] = [0, 0];
    const taken: RoundInput[] = [];
    const { perform, failed } = summing(
      () => (++puts < 6 ? full() : Promise.resolve('model')),
      (input) => (++submits < 3 ? full() : Promise.resolve(void taken.push(input))),
    );
    perform();
    await vi.advanceTimersByTimeAsync(60_000);
    expect({ puts, submits, failed }).toEqual({ puts: 6, submits: 3, failed: [] });
    expect(taken).toMatchObject([{ type: 'summed', result: { model: 'model' } }]);
  });

  it('is given up once the attempt is over', async () => {
    const { perform, failed, run } = summing(full, async () => {});
    perform();
    await vi.advanceTimersByTimeAsync(5000);
    expect(failed).toEqual([]);
    run.state = { ...run.state, stage: { kind: 'ended' } };
    await vi.advanceTimersByTimeAsync(20_000);
    expect(failed).toMatchObject([{ type: 'sum-failed', code: 'storage-failed' }]);
  });

  it('that is refused for another reason voids the attempt at once', async () => {
    const wrong = () => Promise.reject(new TributaryError('sum-corrupt', 'No.'));
    const { perform, failed } = summing(wrong, async () => {});
    perform();
    await vi.advanceTimersByTimeAsync(1);
    expect(failed).toMatchObject([{ type: 'sum-failed', code: 'sum-corrupt' }]);
  });
});

describe('a fault while summing', () => {
  it.each([true, false])('is logged as one only while the attempt lives (%s)', async (alive) => {
    const gone = () => Promise.reject(new Error('ENOENT: the update is gone'));
    const { perform, failed, logged, run } = summing(gone, async () => {});
    perform();
    // Void meanwhile: its updates are deleted while the worker reads them.
    if (!alive) run.state = { ...run.state, stage: { kind: 'gathering' } };
    await vi.advanceTimersByTimeAsync(1);
    expect(logged.map((line) => JSON.parse(line).msg)).toEqual(alive ? ['fault while summing'] : []);
    expect(failed).toMatchObject([{ type: 'sum-failed', code: 'internal' }]);
  });
});
