/**
 * The round machine: (state, input, now) -> { state, effects }. Pure: no clock, no randomness, no input or output.
 * It throws a TributaryError for an input that it refuses and returns the same state for one that changes nothing;
 * neither is journalled. Members are identity keys; who may send what was checked at the session.
 */
import { TributaryError } from '@tributary/protocol';
import { receiveAbandonment } from './abandonment.ts';
import { advance, closePhase, openAttempt } from './attempt.ts';
import { cancel, pause, resume } from './control.ts';
import type { RoundContext, RoundInput, Step } from './io.ts';
import { fromMember } from './members.ts';
import { publish, voidAttempt } from './outcome.ts';
import { revoke } from './revocation.ts';
import type { Answer, RunState } from './state.ts';

export function step(state: RunState, input: RoundInput, now: number, context: RoundContext): Step {
  const unchanged: Step = { state, effects: [] };
  if (state.stage.kind === 'ended') {
    if (input.type === 'restarted' || input.type === 'close' || input.type === 'revoked') return unchanged;
    throw new TributaryError('wrong-phase', `Run ${state.id} is ${state.status}.`);
  }
  switch (input.type) {
    case 'consent':
      return answer(state, input.member, { kind: 'consent' });
    case 'decline':
      return answer(state, input.member, { kind: 'decline', code: input.code, reason: input.reason });
    case 'open':
      return openAttempt(state, input, now, context);
    case 'advert':
    case 'shares':
    case 'agree':
    case 'unmask':
    case 'leave':
    case 'update':
      return advance(fromMember(state, input, context), context);
    case 'abandon':
      return receiveAbandonment(state, input, context);
    case 'close':
      return advance(closePhase(state, input.why, context), context);
    case 'summed': {
      if (state.stage.kind !== 'summing' || state.stage.open.secagg.attempt !== input.attempt)
        return unchanged;
      return publish(state, state.stage.open, input, now, context);
    }
    case 'sum-failed': {
      if (state.stage.kind !== 'summing' || state.stage.open.secagg.attempt !== input.attempt)
        return unchanged;
      return voidAttempt(state, state.stage.open, input.code, input.reason);
    }
    case 'cancel':
      return cancel(state, input.by);
    case 'pause':
      return pause(state, input.by);
    case 'resume':
      return resume(state, input.by);
    case 'revoked':
      return advance(revoke(state, input), context);
    case 'restarted': {
      if (state.stage.kind === 'gathering' || !input.damaged?.length) return unchanged;
      const { open } = state.stage;
      const names = input.damaged.map((member) => open.names[member] ?? member).join(', ');
      const reason = `After a restart the update of ${names} is missing or damaged on disk.`;
      return voidAttempt(state, open, 'storage-failed', reason);
    }
    default:
      return input satisfies never;
  }
}

function answer(state: RunState, member: string, given: Answer): Step {
  const before = state.answers[member];
  if (before?.kind === given.kind && (given.kind === 'consent' || sameDecline(before, given)))
    return { state, effects: [] };
  return {
    state: { ...state, answers: { ...state.answers, [member]: given } },
    effects: [
      {
        type: 'event',
        kind: given.kind,
        data: { member, ...(given.kind === 'decline' ? { code: given.code, reason: given.reason } : {}) },
      },
    ],
  };
}

function sameDecline(a: Answer, b: Answer): boolean {
  return a.kind === 'decline' && b.kind === 'decline' && a.code === b.code && a.reason === b.reason;
}
