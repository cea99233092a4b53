/**
 * The session machine of a node: (state, input, now) -> { state, effects }, the mirror of the coordinator's round machine.
 * Pure: no clock, no input or output; randomness comes with the context. Nothing that a coordinator sends makes it throw:
 * what does not fit is refused with a typed reason or ignored with a warning. The states are told in state.ts.
 */
import { asTributaryError, type ServerMessage } from '@tributary/protocol';
import { announce } from './announcement.ts';
import { abandoned, failed, masked, progressed, published, stop, trained, uploaded } from './attempt.ts';
import { evaluate, evaluated, evaluationFailed } from './evaluation.ts';
import { type Effect, emit, type SessionContext, type SessionInput, type Step, warn } from './io.ts';
import { agreed, cohort, roster, survivors } from './lists.ts';
import { greeted, propose, reconsider, runEnded } from './proposals.ts';
import type { SessionState } from './state.ts';

export function step(state: SessionState, input: SessionInput, now: number, context: SessionContext): Step {
  try {
    return take(state, input, now, context);
  } catch (thrown) {
    const { code, message } = asTributaryError(thrown);
    const what = input.type === 'message' ? `message ${input.message.type}` : input.type;
    return { state, effects: [warn(code, `${what}: ${message}`)] };
  }
}

function take(state: SessionState, input: SessionInput, now: number, context: SessionContext): Step {
  switch (input.type) {
    case 'message':
      return fromCoordinator(state, input.message, now, context);
    case 'greeted':
      return greeted(state, input.epoch);
    case 'disconnected': {
      const { code, message, remedy } = input.error;
      return { state, effects: [emit({ type: 'disconnected', code, message, remedy, final: input.final })] };
    }
    case 'approvals':
      return reconsider({ ...state, approvals: input.approvals }, 'approvals', now, context);
    case 'pinned':
      return reconsider({ ...state, pinned: input.pinned }, 'pinned', now, context);
    case 'progress':
      return progressed(state, input.attempt, input.done);
    case 'trained':
      return trained(state, input.attempt, now, context);
    case 'masked':
      return masked(state, input.attempt, input.sha256, now);
    case 'uploaded':
      return uploaded(state, input.attempt);
    case 'failed':
      return failed(state, input.attempt, input.error, now);
    case 'evaluated':
      return evaluated(state, input);
    case 'evaluation-failed':
      return evaluationFailed(state, input);
    case 'stop':
      return stop(state, now);
    default:
      return input satisfies never;
  }
}

function fromCoordinator(
  state: SessionState,
  message: ServerMessage,
  now: number,
  context: SessionContext,
): Step {
  switch (message.type) {
    case 'ready':
      return ready(state, message, context);
    case 'members':
      return { state, effects: [emit({ type: 'members', members: message.members })] };
    case 'proposal':
      return propose(state, message, context);
    case 'announce':
      return announce(state, message, now, context);
    case 'roster':
      return roster(state, message, now, context);
    case 'cohort':
      return cohort(state, message, now, context);
    case 'survivors':
      return survivors(state, message, now, context);
    case 'agreed':
      return agreed(state, message, now, context);
    case 'published':
      return published(state, message, now);
    case 'abandoned':
      return abandoned(state, message, context);
    case 'evaluate':
      return evaluate(state, message, context);
    case 'run-ended':
      return runEnded(state, message);
    case 'refused':
      return {
        state,
        effects: [warn(message.code, `The coordinator refused ${message.of}: ${message.reason}`)],
      };
    default:
      return message satisfies never;
  }
}

function ready(
  state: SessionState,
  message: Extract<ServerMessage, { type: 'ready' }>,
  { identity, policy, engine, instance }: SessionContext,
): Step {
  const { name, role, members } = message;
  const strangers = members.filter(
    (member) => member.role === 'partner' && member.key !== identity.id && !state.pinned.has(member.key),
  );
  const effects: Effect[] = [
    { type: 'send', message: { type: 'instance', instance: { id: instance, starts: state.ledger.starts } } },
    { type: 'send', message: { type: 'engine', engine } },
    emit({ type: 'connected', name, role, members, strangers }),
  ];
  if (role !== policy.role)
    effects.push(
      warn('conflict', `The coordinator takes this node for ${role}; it is enrolled as ${policy.role}.`),
    );
  return { state, effects };
}
