/** A new attempt is announced: is it newer than all before, is it the plan that was consented to, may this node take part? */
import {
  type Announcement,
  asTributaryError,
  type ErrorCode,
  fromHex,
  hashStatement,
  type Plan,
  type ServerMessageOf,
  scalarNames,
  TributaryError,
  utf8,
} from '@tributary/protocol';
import { advertise, openAttempt } from '@tributary/protocol/secagg';
import { addsUp, judge } from '../policy/index.ts';
import { believe } from './abandonment.ts';
import { declineRun, dropAttempt } from './attempt.ts';
import { secaggContext } from './context.ts';
import { announcedOnce, requireRoom } from './idle.ts';
import { type Effect, emit, placeOf, type SessionContext, type Step, send } from './io.ts';
import { type AttemptRecord, type LedgerView, noted, requireNewer, whySitOut } from './ledger.ts';
import { splitSeedOf } from './split-seed.ts';
import { type KnownRun, type LiveAttempt, type SessionState, withEntry } from './state.ts';

/** Refused announcements that are written down: a coordinator must not fill this node's disk by asking for ever. */
const REFUSALS = 1000;

export function announce(
  state: SessionState,
  message: ServerMessageOf<'announce'>,
  now: number,
  context: SessionContext,
): Step {
  const { announcement, signature } = message;
  const id = hashStatement(context.crypto, 'announcement', announcement);
  const live = state.attempts.get(announcement.run);
  // The coordinator repeats itself when this node connects again.
  if (live && live.secagg.attempt === id) return repeat(state, live, context);
  const place = placeOf(announcement, id);
  let replaced: Step = { state, effects: [] };
  try {
    const opened = openAttempt(secaggContext(state, context), announcement, signature, context.coordinator);
    // What was opened before a restore is over, also where its coordinator lost too much for this node to go on with it.
    const outlived = live !== undefined && announcement.epoch > live.secagg.announcement.epoch;
    if (live && (outlived || isNewer(state.ledger, announcement))) replaced = replace(state, live);
    const believed = believe(replaced.state, message.certificates ?? [], id, now, context);
    replaced = { state: believed.state, effects: [...replaced.effects, ...believed.effects] };
    const plan = admit(replaced.state, announcement, context);
    requireRoom(replaced.state.attempts.size);
    const idle = announcedOnce(replaced.state.idle, now);
    replaced = { ...replaced, state: { ...replaced.state, idle } };
    return start(replaced, { secagg: opened, plan, work: 'training', twentieths: 0 }, now, context);
  } catch (thrown) {
    const { code, message } = asTributaryError(thrown);
    const reason = message.slice(0, 1000);
    const { run, round, attempt, epoch } = announcement;
    const declines = declineRun(replaced.state, run, code);
    const effects: Effect[] = [
      ...replaced.effects,
      send({ type: 'leave', attempt: id, code, reason, convict: [] }),
      emit({ type: 'refused', run, place, code, message }),
    ];
    // What another signed is no deed of this coordinator.
    if (code === 'bad-signature' || code === 'wrong-coordinator') return { state: declines, effects };
    if (declines.refusals >= REFUSALS) return { state: declines, effects };
    const record: AttemptRecord = {
      type: 'refused',
      ...{ time: now, run, round, attempt, epoch, id, code, reason },
    };
    effects.push({ type: 'append', record });
    const refusals = declines.refusals + 1;
    return { state: { ...declines, refusals, ledger: noted(declines.ledger, record) }, effects };
  }
}

function start({ state, effects }: Step, live: LiveAttempt, now: number, context: SessionContext): Step {
  const { announcement, attempt: id } = live.secagg;
  const { run, round, attempt, epoch, plan, weights } = announcement;
  const record: AttemptRecord = {
    type: 'announced',
    time: now,
    run,
    round,
    attempt,
    epoch,
    id,
    plan,
    weights,
  };
  return {
    state: {
      ...state,
      ledger: noted(state.ledger, record),
      attempts: withEntry(state.attempts, run, live),
    },
    effects: [
      ...effects,
      { type: 'append', record },
      emit({ type: 'announced', plan: live.plan, ...placeOf(announcement, id) }),
      send({ type: 'progress', attempt: id, twentieths: 0 }),
      { type: 'train', attempt: id, announcement, plan: live.plan, ...seeds(context, id) },
    ],
  };
}

/**
 * Training must differ between attempts, or two of them would yield the same vector under different masks; the rows that
 * are held out must not, or the model would be evaluated on rows that it was trained on.
 */
function seeds(
  { crypto, identity }: SessionContext,
  id: string,
): { seed: Uint8Array; splitSeed: Uint8Array } {
  const seed = crypto.hkdf(identity.seed, fromHex(id), utf8('tributary/1/training'), 32);
  return { seed, splitSeed: splitSeedOf(crypto, identity) };
}

/** The same answer again, whatever has been answered so far. */
function repeat(state: SessionState, live: LiveAttempt, context: SessionContext): Step {
  const { attempt } = live.secagg;
  if (live.work === 'training')
    return { state, effects: [send({ type: 'progress', attempt, twentieths: live.twentieths })] };
  const again = advertise(live.secagg, secaggContext(state, context), context.random);
  if (again.kind === 'refused') throw again.error;
  return {
    state: {
      ...state,
      attempts: withEntry(state.attempts, live.secagg.announcement.run, { ...live, secagg: again.state }),
    },
    effects: [send({ type: 'advert', attempt, advert: again.advert })],
  };
}

function isNewer(ledger: LedgerView, announcement: Announcement): boolean {
  try {
    requireNewer(ledger, announcement);
    return true;
  } catch {
    return false;
  }
}

/** The coordinator has moved on; an attempt in which the vector was sent makes the next one on the same base sit out. */
function replace(state: SessionState, live: LiveAttempt): Step {
  const reason = 'A newer attempt was announced.';
  const { state: next, effects } = dropAttempt(state, live, 'wrong-attempt', reason);
  const place = placeOf(live.secagg.announcement, live.secagg.attempt);
  return {
    state: next,
    effects: [...effects, emit({ type: 'abandoned', code: 'wrong-attempt', reason, ...place })],
  };
}

/**
 * The same policy as at the proposal, and the ledger.
 * @throws rolled-back, sits-out, stale-epoch, stale-announcement, equivocation, approval-pending, policy-refused
 */
function admit(state: SessionState, announcement: Announcement, { policy }: SessionContext): Plan {
  const refuse = (code: ErrorCode, message: string): never => {
    throw new TributaryError(code, message);
  };
  if (policy.role === 'evaluator') return refuse('forbidden', 'This node only evaluates.');
  requireNotRolledBack(state.ledger, announcement);
  const runPlan = state.runs.get(announcement.run)?.plan;
  const sitOut = whySitOut(state.ledger, announcement, runPlan !== undefined && addsUp(runPlan));
  if (sitOut) return refuse('sits-out', sitOut);
  requireNewer(state.ledger, announcement);
  const known =
    state.runs.get(announcement.run) ??
    refuse('wrong-phase', `Run ${announcement.run} was never proposed to this node.`);
  requireSamePlan(known, announcement);
  requireSameHistory(state.ledger, announcement);
  const verdict = judge(policy, known.plan, known.hashes, state.approvals);
  if (verdict.verdict === 'refuse') return refuse(verdict.code, verdict.message);
  if (verdict.verdict === 'ask')
    return refuse('approval-pending', 'plans is ask: the owner of this node has not decided yet.');
  return known.plan;
}

/** @throws equivocation naming the first field that differs from the proposed plan */
function requireSamePlan({ plan, hashes }: KnownRun, { aggregation, ...announced }: Announcement): void {
  const { mode, clip, coordinateBound = clip, weightCap, weights, collusion } = plan.aggregation;
  const rules: [string, unknown, unknown][] = [
    ['plan', announced.plan, hashes.plan],
    ['layout.scalars', announced.layout.scalars, scalarNames(plan).length],
    ...Object.entries({ mode, clip, coordinateBound, weightCap, weights, collusion }).map(
      ([name, value]): [string, unknown, unknown] => [
        `aggregation.${name}`,
        aggregation[name as keyof typeof aggregation],
        value,
      ],
    ),
  ];
  for (const [name, got, expected] of rules)
    if (got !== expected)
      throw new TributaryError(
        'equivocation',
        `${name} is ${got} in the announcement, ${expected} in the plan.`,
      );
  if (announced.round > plan.rounds)
    throw new TributaryError(
      'equivocation',
      `Round ${announced.round} of a plan with ${plan.rounds} rounds.`,
    );
}

/**
 * All attempts of a round start from the same weights (or a base that was changed in one bit would get around sitting out),
 * and round r from what round r - 1 was said to have published.
 * @throws equivocation
 */
function requireSameHistory({ last, published }: LedgerView, announcement: Announcement): void {
  const { run, round, weights, previousTranscript } = announcement;
  const earlier = last.get(run);
  if (earlier?.round === round && earlier.weights !== weights)
    throw new TributaryError(
      'equivocation',
      `Attempt ${earlier.attempt} of round ${round} started from weights ${earlier.weights}, this one from ${weights}.`,
    );
  const before = published.get(run);
  if (before?.round !== round - 1) return;
  if (before.weights !== weights || before.transcript !== previousTranscript)
    throw new TributaryError(
      'equivocation',
      `Round ${before.round} was published with weights ${before.weights} and transcript ${before.transcript}; ` +
        `round ${round} starts from ${weights} and ${previousTranscript}.`,
    );
}

/**
 * In a higher epoch the coordinator was restored from a backup. One that lost rounds which this node has seen says so: the
 * same history would be trained again, and who knows both could tell the difference.
 * @throws rolled-back
 */
function requireNotRolledBack(ledger: LedgerView, announcement: Announcement): void {
  const { run, round, epoch, weights, previousTranscript } = announcement;
  const earlier = ledger.last.get(run);
  const before = ledger.published.get(run);
  const seen = Math.max(earlier?.epoch ?? 0, before?.epoch ?? 0);
  if (seen === 0 || epoch <= seen) return;
  const refuse = (what: string): never => {
    throw new TributaryError(
      'rolled-back',
      `${what} in epoch ${seen}; in epoch ${epoch} round ${round} is announced from weights ${weights}.`,
    );
  };
  if (before && before.round >= round) refuse(`This node saw round ${before.round} of run ${run} published`);
  if (earlier && earlier.round > round) refuse(`This node took part in round ${earlier.round} of run ${run}`);
  if (earlier?.round === round && earlier.weights !== weights)
    refuse(`Round ${round} of run ${run} was announced from weights ${earlier.weights}`);
  if (before?.round === round - 1 && (before.weights !== weights || before.transcript !== previousTranscript))
    refuse(`Round ${before.round} of run ${run} was published with weights ${before.weights}`);
}
