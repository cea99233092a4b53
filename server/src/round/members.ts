/** Members' messages in an open attempt. */
import { type ErrorCode, TributaryError } from '@tributary/protocol';
import * as secagg from '@tributary/protocol/secagg';
import { isCertifiedSince } from './abandonment.ts';
import { phaseEvent, send } from './effects.ts';
import type { Effect, MemberInput, RoundContext, Step } from './io.ts';
import { cohortOf, survivorsOf } from './lists.ts';
import type { OpenAttempt, RunState } from './state.ts';

/** Takes one message of a member into the attempt. @throws TributaryError, and then nothing has changed. */
export function fromMember(state: RunState, input: MemberInput, context: RoundContext): Step {
  const attempt = input.type === 'update' ? input.attempt : input.message.attempt;
  if (state.stage.kind === 'gathering' || state.stage.kind === 'ended')
    throw new TributaryError('wrong-attempt', `No attempt is open in run ${state.id}.`);
  const { open } = state.stage;
  if (open.secagg.attempt !== attempt)
    throw new TributaryError('wrong-attempt', `Attempt ${attempt.slice(0, 12)} is over.`);
  if (state.stage.kind === 'summing') {
    if (input.type === 'update')
      throw new TributaryError('late', 'The survivors of this attempt are fixed already.');
    return { state, effects: [] };
  }
  const { member } = input;
  const to = (next: secagg.ServerAttempt, more: Partial<OpenAttempt> = {}): RunState =>
    next === open.secagg && Object.keys(more).length === 0
      ? state
      : { ...state, stage: { kind: 'attempt', open: { ...open, ...more, secagg: next } } };
  switch (input.type) {
    case 'advert':
      return {
        state: to(secagg.receiveAdvert(open.secagg, context, member, input.message.advert)),
        effects: [progress(open, member)],
      };
    case 'shares':
      return {
        state: to(secagg.receiveDeals(open.secagg, context, member, input.message.deals)),
        effects: [progress(open, member)],
      };
    case 'agree': {
      const next = secagg.receiveAgreementSignature(open.secagg, context, member, input.message.signature);
      const signatures = next === open.secagg ? null : secagg.agreement(next);
      if (!signatures) return { state: to(next), effects: [] };
      // The t-th signature: everybody in U3 may unmask now.
      const to3 = survivorsOf(next).filter((survivor) => !next.left.includes(survivor));
      const agreed = send(to3, { type: 'agreed', attempt, signatures: [...signatures] });
      return { state: to(next), effects: [phaseEvent(state, { ...open, secagg: next }), agreed] };
    }
    case 'unmask':
      return {
        state: to(secagg.receiveUnmaskShares(open.secagg, context, member, input.message.shares)),
        effects: [],
      };
    case 'update': {
      const next = secagg.receiveUpdate(open.secagg, member, input.sha256);
      if (next === open.secagg) return { state, effects: [] };
      return {
        state: to(next, { bytesUp: open.bytesUp + input.bytes }),
        effects: [{ type: 'fold', attempt, member }, progress(open, member)],
      };
    }
    case 'leave':
      return leave(state, open, input);
    default:
      return input satisfies never;
  }
}

/** A policy that changed its mind, or a node whose history this run has left, is not asked again until it consents again. */
const DECLINES: ReadonlySet<ErrorCode> = new Set([
  'policy-refused',
  'approval-pending',
  'stranger-in-roster',
  'rolled-back',
]);

/** The node stops, or has started again: its owner took nothing back. */
const PROCESS_ENDED: ReadonlySet<ErrorCode> = new Set(['sits-out', 'unavailable']);

function leave(state: RunState, open: OpenAttempt, input: Extract<MemberInput, { type: 'leave' }>): Step {
  const { member } = input;
  const { code, reason } = input.message;
  const left = secagg.leave(open.secagg, member, PROCESS_ENDED.has(code) ? 'stands' : 'withdrawn');
  if (left === open.secagg) return { state, effects: [] };
  const accusations = { ...open.accusations };
  for (const dealer of convicted(state, open, input))
    accusations[dealer] = [...new Set([...(accusations[dealer] ?? []), member])];
  const rests = code === 'sits-out' && !isCertifiedSince(state, open);
  const sittingOut = rests ? [...new Set([...state.sittingOut, member])] : state.sittingOut;
  const departures = { ...open.departures, [open.names[member] ?? member]: code };
  const declines = DECLINES.has(code);
  const answers = declines
    ? { ...state.answers, [member]: { kind: 'decline' as const, code, reason } }
    : state.answers;
  return {
    state: {
      ...state,
      sittingOut,
      answers,
      stage: { kind: 'attempt', open: { ...open, secagg: left, departures, accusations } },
    },
    effects: [{ type: 'event', kind: 'left', data: { member, name: open.names[member], code, reason } }],
  };
}

/**
 * Whom this leave convicts: other members of U2, whose deals its sender has got. Who convicts more than may collude lies,
 * or one liar would exclude everybody: it convicts itself.
 */
function convicted(
  { plan }: RunState,
  { secagg: attempt }: OpenAttempt,
  { member, message }: Extract<MemberInput, { type: 'leave' }>,
): readonly string[] {
  const dealt = cohortOf(attempt);
  if (!dealt.includes(member)) return [];
  const named = new Set(message.convict.filter((dealer) => dealer !== member && dealt.includes(dealer)));
  return named.size > plan.aggregation.collusion ? [member] : [...named];
}

function progress(open: OpenAttempt, member: string): Effect {
  return {
    type: 'event',
    kind: 'answered',
    data: { member, name: open.names[member], phase: open.secagg.phase },
  };
}

/** Before a byte of an upload is taken. @throws wrong-phase, late, wrong-attempt */
export function requireAwaitedUpdate(open: OpenAttempt, member: string): void {
  const { secagg: attempt } = open;
  if (attempt.phase === 'advertise' || attempt.phase === 'share')
    throw new TributaryError('wrong-phase', `Phase ${attempt.phase}: vectors are taken once U2 is frozen.`);
  if (attempt.phase !== 'upload')
    throw new TributaryError(
      'late',
      `Phase ${attempt.phase}: the survivors of this attempt are fixed already.`,
    );
  if (!cohortOf(attempt).includes(member) || attempt.left.includes(member))
    throw new TributaryError('wrong-attempt', 'Only members of U2 that did not leave upload a vector.');
}
