/** What an operator does to a run, at any instant. */
import type { Step } from './io.ts';
import { voidAttempt } from './outcome.ts';
import type { RunState } from './state.ts';

export function cancel(state: RunState, by: string): Step {
  const reason = `Cancelled by ${by}.`;
  const open = state.stage.kind === 'attempt' || state.stage.kind === 'summing' ? state.stage.open : null;
  const voided = open ? voidAttempt(state, open, 'wrong-attempt', reason) : { state, effects: [] };
  return {
    state: { ...voided.state, status: 'cancelled', reason, stage: { kind: 'ended' } },
    effects: [
      ...voided.effects,
      { type: 'run-changed' },
      { type: 'event', kind: 'ended', data: { status: 'cancelled', reason } },
    ],
  };
}

/** An open attempt goes on to its end, or what partners sent would be lost; no other is opened before `resume`. */
export function pause(state: RunState, by: string): Step {
  if (state.paused !== undefined) return { state, effects: [] };
  return {
    state: { ...state, status: 'paused', paused: by },
    effects: [{ type: 'run-changed' }, { type: 'event', kind: 'paused', data: { by } }],
  };
}

export function resume(state: RunState, by: string): Step {
  if (state.paused === undefined) return { state, effects: [] };
  const { paused: _, ...going } = state;
  const begun = state.head.round > 0 || state.attempts > 0;
  return {
    state: { ...going, status: begun ? 'running' : 'waiting' },
    effects: [{ type: 'run-changed' }, { type: 'event', kind: 'resumed', data: { by } }],
  };
}
