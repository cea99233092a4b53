import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createWorld } from '../round/fixtures.ts';
import type { RoundInput } from '../round/index.ts';
import { createLiveRun } from './live-run.ts';
import { createPace } from './pace.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A run whose attempt was just opened; nobody has answered. */
function opened() {
  const world = createWorld(4);
  world.open();
  const run = createLiveRun(world.state, 1, Date.now(), world.state.head.model, Date.now());
  const inputs: RoundInput[] = [];
  const pace = createPace({
    partners: () => [],
    stopping: () => false,
    epoch: 1,
    async submit(_, input) {
      inputs.push(input);
    },
    log: pino({ level: 'silent' }),
  });
  pace.moved(run);
  return { inputs, patience: run.state.plan.timing.patience * 1000 };
}

it('closes a phase after patience without progress', () => {
  const { inputs, patience } = opened();
  vi.advanceTimersByTime(patience - 1);
  expect(inputs).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(inputs).toEqual([{ type: 'close', why: 'patience' }]);
});

// Found by chaos: after SIGSTOP beyond patience and SIGCONT, the attempt was void before a socket had been read.
it('does not take its own standing still for the silence of others', () => {
  const { inputs, patience } = opened();
  vi.setSystemTime(Date.now() + 10 * patience);
  vi.advanceTimersByTime(patience);
  expect(inputs).toEqual([]);
  vi.advanceTimersByTime(patience);
  expect(inputs).toEqual([{ type: 'close', why: 'patience' }]);
});
