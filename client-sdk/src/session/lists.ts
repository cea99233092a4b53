/**
 * The coordinator's lists of an attempt: U1, U2, U3 and the agreement on it. Each is judged by the secure-aggregation
 * machine, which latches the first of each kind; a list that comes again gets the same answer again.
 */
import { type ServerMessageOf, TributaryError } from '@tributary/protocol';
import { receiveAgreement, receiveCohort, receiveRoster, receiveSurvivors } from '@tributary/protocol/secagg';
import { keep, refused, uploaded } from './attempt.ts';
import { secaggContext } from './context.ts';
import { type Effect, emit, placeOf, type SessionContext, type Step, send, warn } from './io.ts';
import { attemptOf, type LiveAttempt, type SessionState } from './state.ts';

export function roster(
  state: SessionState,
  { attempt, roster, signature }: ServerMessageOf<'roster'>,
  now: number,
  context: SessionContext,
): Step {
  const live = attemptOf(state, attempt);
  if (!live) return notThere(state, attempt);
  const step = receiveRoster(live.secagg, secaggContext(state, context), roster, signature, context.random);
  if (step.kind === 'refused') return refused(state, live, step, now);
  const effects: Effect[] = [send({ type: 'shares', attempt, deals: [...step.deals] })];
  if (live.secagg.phase === 'advertised' && 'roster' in step.state) {
    const { members, threshold } = step.state.roster;
    effects.unshift(emit({ type: 'roster', members, threshold, ...place(live) }));
  }
  return { state: keep(state, { ...live, secagg: step.state }), effects };
}

export function cohort(
  state: SessionState,
  { attempt, cohort, signature, deals }: ServerMessageOf<'cohort'>,
  now: number,
  context: SessionContext,
): Step {
  const live = attemptOf(state, attempt);
  if (!live) return notThere(state, attempt);
  const step = receiveCohort(live.secagg, secaggContext(state, context), cohort, signature, deals);
  if (step.kind === 'refused') return refused(state, live, step, now);
  const next = { ...live, secagg: step.state };
  if (step.todo === 'resend') {
    // The same bytes once more, unless they are on their way, or U3 says that they have arrived.
    const again = live.work === 'waiting' && step.state.phase === 'masked';
    return again
      ? { state: keep(state, { ...next, work: 'uploading' }), effects: [{ type: 'upload', attempt }] }
      : { state: keep(state, next), effects: [] };
  }
  if (live.work === 'masking') return { state: keep(state, next), effects: [] };
  const { announcement } = live.secagg;
  const { terms, members } = step;
  return {
    state: keep(state, { ...next, work: 'masking' }),
    effects: [
      emit({ type: 'cohort', members: cohort.members.map(({ member }) => member), ...place(live) }),
      { type: 'mask', attempt, announcement, plan: live.plan, terms, members },
    ],
  };
}

export function survivors(
  state: SessionState,
  { attempt, survivors, signature }: ServerMessageOf<'survivors'>,
  now: number,
  context: SessionContext,
): Step {
  const live = attemptOf(state, attempt);
  if (!live) return notThere(state, attempt);
  const step = receiveSurvivors(live.secagg, secaggContext(state, context), survivors, signature);
  if (step.kind === 'refused') return refused(state, live, step, now);
  // U3 names only what is durable; its word may overtake the answer to the upload.
  const effects: Effect[] = [...uploaded(state, attempt).effects];
  if (live.secagg.phase === 'masked')
    effects.push(
      emit({ type: 'survivors', members: survivors.updates.map(({ member }) => member), ...place(live) }),
    );
  if (step.signature !== null) effects.push(send({ type: 'agree', attempt, signature: step.signature }));
  return { state: keep(state, { ...live, secagg: step.state, work: 'waiting' }), effects };
}

export function agreed(
  state: SessionState,
  { attempt, signatures }: ServerMessageOf<'agreed'>,
  now: number,
  context: SessionContext,
): Step {
  const live = attemptOf(state, attempt);
  if (!live) return notThere(state, attempt);
  const step = receiveAgreement(live.secagg, secaggContext(state, context), signatures);
  if (step.kind === 'refused') return refused(state, live, step, now);
  const effects: Effect[] = [send({ type: 'unmask', attempt, shares: step.shares })];
  if (live.secagg.phase === 'agreed') effects.push(emit({ type: 'unmasked', ...place(live) }));
  return { state: keep(state, { ...live, secagg: step.state }), effects };
}

/**
 * It has started again since it joined, and its secrets are gone: the others need not wait for it (PROTOCOL.md 6.8).
 * @throws wrong-attempt for an attempt that it never joined, or has left
 */
function notThere(state: SessionState, attempt: string): Step {
  if (!state.ledger.joined.has(attempt))
    throw new TributaryError('wrong-attempt', `This node is not in attempt ${attempt}.`);
  const reason = 'This node has started again since the attempt was announced.';
  return {
    state,
    effects: [
      send({ type: 'leave', attempt, code: 'unavailable', reason, convict: [] }),
      warn('wrong-attempt', `Attempt ${attempt} is left: ${reason}`),
    ],
  };
}

function place({ secagg }: LiveAttempt) {
  return placeOf(secagg.announcement, secagg.attempt);
}
