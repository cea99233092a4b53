/** An attempt on this side: local work, and every way in which it ends. */
import { type ErrorCode, type ServerMessageOf, TributaryError } from '@tributary/protocol';
import { layoutOf } from '@tributary/protocol/ring';
import { abandonQuorum, advertise, leaveAttempt, vectorMasked } from '@tributary/protocol/secagg';
import { addsUp } from '../policy/index.ts';
import { abandon, renounce } from './abandonment.ts';
import { secaggContext } from './context.ts';
import { notIdle } from './idle.ts';
import { emit, placeOf, type SessionContext, type Step, send, warn } from './io.ts';
import { type AbandonQuorum, type AttemptRecord, ended, noted, whySitOut } from './ledger.ts';
import { attemptOf, type LiveAttempt, type SessionState, withEntry } from './state.ts';

export function progressed(state: SessionState, id: string, done: number): Step {
  const live = attemptOf(state, id);
  if (live?.work !== 'training') return { state, effects: [] };
  const { announcement } = live.secagg;
  const event = emit({ type: 'progress', done, ...placeOf(announcement, id) });
  const twentieths = Math.min(20, Math.floor(done * 20));
  if (!(twentieths > live.twentieths)) return { state, effects: [event] };
  return {
    state: keep(state, { ...live, twentieths }),
    effects: [event, send({ type: 'progress', attempt: id, twentieths })],
  };
}

export function trained(state: SessionState, id: string, now: number, context: SessionContext): Step {
  const live = attemptOf(state, id);
  if (live?.work !== 'training') return { state, effects: [] };
  const sitOut = whySitOut(state.ledger, live.secagg.announcement, addsUp(live.plan));
  if (sitOut) return leave(state, live, 'sits-out', sitOut, now);
  const step = advertise(live.secagg, secaggContext(state, context), context.random);
  if (step.kind === 'refused') return refused(state, live, step, now);
  return {
    state: keep(state, { ...live, secagg: step.state, work: 'waiting', twentieths: 20 }),
    effects: [send({ type: 'advert', attempt: id, advert: step.advert })],
  };
}

/**
 * The hash is latched and the ledger written before the first byte leaves. Another run may have sent a vector on the
 * same base since this attempt was announced.
 */
export function masked(state: SessionState, id: string, sha256: string, now: number): Step {
  const live = attemptOf(state, id);
  if (live?.work !== 'masking') return { state, effects: [] };
  const sitOut = whySitOut(state.ledger, live.secagg.announcement, addsUp(live.plan));
  if (sitOut) return leave(state, live, 'sits-out', sitOut, now);
  const step = vectorMasked(live.secagg, sha256);
  if (step.kind === 'refused') return refused(state, live, step, now);
  const { announcement } = live.secagg;
  const { run, round, attempt, epoch, weights } = announcement;
  const record: AttemptRecord = {
    type: 'vector-sent',
    ...{ time: now, run, round, attempt, epoch, id, weights, sha256, ...quorumOf(live) },
  };
  const next = keep(state, { ...live, secagg: step.state, work: 'uploading' });
  return {
    state: { ...next, idle: notIdle(next.idle), ledger: noted(next.ledger, record) },
    effects: [
      { type: 'append', record },
      emit({ type: 'uploading', sha256, bytes: bytesOf(live), ...placeOf(announcement, id) }),
      { type: 'upload', attempt: id },
    ],
  };
}

/** Who must abandon the attempt before its vector is certain to stay noise. The plan's c is never below the owner's. */
function quorumOf({ secagg }: LiveAttempt): { quorum?: AbandonQuorum } {
  const { mode, collusion: c } = secagg.announcement.aggregation;
  if (mode !== 'secure' || !('roster' in secagg)) return {};
  const { hash: roster, members, threshold: t } = secagg.roster;
  return { quorum: { roster, members: [...members], needed: abandonQuorum({ n: members.length, t, c }) } };
}

export function uploaded(state: SessionState, id: string): Step {
  const live = attemptOf(state, id);
  if (live?.work !== 'uploading' || !('sha256' in live.secagg)) return { state, effects: [] };
  const { sha256, announcement } = live.secagg;
  return {
    state: keep(state, { ...live, work: 'waiting' }),
    effects: [emit({ type: 'uploaded', sha256, bytes: bytesOf(live), ...placeOf(announcement, id) })],
  };
}

function bytesOf({ secagg }: LiveAttempt): number {
  const { parameters, scalars } = secagg.announcement.layout;
  return 4 * layoutOf(parameters, scalars).length;
}

/** What went wrong here may quote this partner's data: the coordinator gets the code and a fixed text. */
export function failed(state: SessionState, id: string, error: TributaryError, now: number): Step {
  const live = attemptOf(state, id);
  if (!live) return { state, effects: [] };
  // U3 holds this node's vector already, so the answer to its upload no longer matters.
  if (live.work === 'waiting') return { state, effects: [warn(error.code, error.message)] };
  const fixed = `This partner's node reports ${error.code}; the details stay in its own log.`;
  return leave(state, live, error.code, fixed, now, { local: error.message });
}

export function published(state: SessionState, message: ServerMessageOf<'published'>, now: number): Step {
  const { attempt: id, run, round, model, weights, transcript } = message;
  const event = emit({ type: 'published', run, round, id, model, weights, transcript });
  const live = attemptOf(state, id);
  if (!live) return { state, effects: [event] };
  const { announcement } = live.secagg;
  if (announcement.run !== run || announcement.round !== round)
    throw new TributaryError('equivocation', `Attempt ${id} is not of round ${round} in run ${run}.`);
  const record: AttemptRecord = {
    type: 'published',
    time: now,
    ...{ run, round, attempt: announcement.attempt, epoch: announcement.epoch, id, weights, transcript },
  };
  const dropped = dropAttempt(state, live, 'wrong-attempt', 'The round was published.');
  return {
    state: { ...dropped.state, ledger: noted(dropped.state.ledger, record) },
    effects: [{ type: 'append', record }, ...dropped.effects, event],
  };
}

export function abandoned(
  state: SessionState,
  message: ServerMessageOf<'abandoned'>,
  context: SessionContext,
): Step {
  const { attempt: id, code, reason } = message;
  const live = attemptOf(state, id);
  if (!live) return { state, effects: abandon(state, id, context) };
  const dropped = dropAttempt(state, live, code, reason);
  const event = emit({ type: 'abandoned', code, reason, ...placeOf(live.secagg.announcement, id) });
  return {
    state: dropped.state,
    effects: [...dropped.effects, event, ...abandon(dropped.state, id, context)],
  };
}

/** The owner stops the node: the coordinator need not wait for it. */
export function stop(state: SessionState, now: number): Step {
  let step: Step = { state, effects: [] };
  for (const live of state.attempts.values()) {
    const left = leave(step.state, live, 'unavailable', 'This node is stopping.', now);
    step = { state: left.state, effects: [...step.effects, ...left.effects] };
  }
  return step;
}

/** What a refusal by the secure-aggregation machine means for the session. */
export function refused(
  state: SessionState,
  live: LiveAttempt,
  { state: secagg, error, convict }: Extract<ReturnType<typeof advertise>, { kind: 'refused' }>,
  now: number,
): Step {
  // It came too early or too late, nothing was answered: it may come again.
  if (secagg.phase !== 'left') throw error;
  const { code, message } = error;
  return leave(state, live, code, message, now, { convict });
}

/**
 * Ends an attempt and tells the coordinator.
 * @param reason goes to the coordinator: rules and numbers, never data.
 * @param options.local what this node's own log says instead; convict: dealers whose shares do not fit.
 */
export function leave(
  state: SessionState,
  live: LiveAttempt,
  code: ErrorCode,
  reason: string,
  now: number,
  options: { local?: string; convict?: readonly string[] } = {},
): Step {
  const { announcement, attempt: id } = live.secagg;
  const { run, round, attempt, epoch } = announcement;
  const dropped = dropAttempt(state, live, code, reason);
  const short = reason.slice(0, 1000);
  const place = { run, round, attempt, epoch, id };
  const record: AttemptRecord = { type: 'refused', time: now, ...place, code, reason: short };
  return {
    state: declineRun({ ...dropped.state, ledger: noted(dropped.state.ledger, record) }, run, code),
    effects: [
      ...dropped.effects,
      send({ type: 'leave', attempt: id, code, reason: short, convict: [...(options.convict ?? [])] }),
      { type: 'append', record },
      emit({
        type: 'refused',
        ...{ run, place: placeOf(announcement, id), code, message: options.local ?? reason },
      }),
    ],
  };
}

/** Wipes the attempt's secrets and stops its work, without a word. */
export function dropAttempt(state: SessionState, live: LiveAttempt, code: ErrorCode, reason: string): Step {
  const { run } = live.secagg.announcement;
  const renounced = renounce(state, live);
  leaveAttempt(live.secagg, code, reason);
  const id = live.secagg.attempt;
  const ledger = ended(state.ledger, id);
  return {
    state: { ...state, renounced, ledger, attempts: withEntry(state.attempts, run, undefined) },
    effects: [{ type: 'forget', attempt: id }],
  };
}

/** After these the coordinator waits for a new consent (see `reconsider`). */
const DECLINING: readonly ErrorCode[] = [
  'policy-refused',
  'approval-pending',
  'stranger-in-roster',
  'rolled-back',
];

export function declineRun(state: SessionState, run: string, code: ErrorCode): SessionState {
  const known = state.runs.get(run);
  if (!known || !DECLINING.includes(code)) return state;
  return { ...state, runs: withEntry(state.runs, run, { ...known, answer: { kind: 'declined', code } }) };
}

export function keep(state: SessionState, live: LiveAttempt): SessionState {
  return { ...state, attempts: withEntry(state.attempts, live.secagg.announcement.run, live) };
}
