/** How an attempt ends: void with a typed reason, or published; and how a run ends. */
import {
  type ErrorCode,
  hashStatement,
  type Plan,
  type RoundMetrics,
  type RoundRecord,
  scalarNames,
  sign,
  TributaryError,
} from '@tributary/protocol';
import { noteVoid } from './abandonment.ts';
import type { Effect, RoundContext, RoundInput, Step, Transcript } from './io.ts';
import { rosterOf, survivorsOf } from './lists.ts';
import type { Head, OpenAttempt, RunState } from './state.ts';

/** The attempt is void, the run goes on with a new one. */
export function voidAttempt(state: RunState, open: OpenAttempt, code: ErrorCode, reason: string): Step {
  const attempt = open.secagg.attempt;
  return {
    state: {
      ...state,
      stage: { kind: 'gathering' },
      excluded: excludedNext(state, open),
      ...noteVoid(state, open),
    },
    effects: [
      {
        type: 'send',
        to: Object.keys(open.names),
        message: { type: 'abandoned', attempt, code, reason: reason.slice(0, 1000) },
      },
      { type: 'discard', attempt },
      {
        type: 'event',
        kind: 'abandoned',
        data: { code, reason, round: state.head.round + 1, attempt: open.number },
      },
    ],
  };
}

/**
 * More than c accusers cannot all be colluding liars: the dealer is out of the next attempt. Fewer may be, so accused
 * and accusers both sit it out: an attacker pays for each partner it removes with its own place.
 */
function excludedNext(state: RunState, open: OpenAttempt): string[] {
  const excluded = new Set(state.excluded);
  for (const [dealer, accusers] of Object.entries(open.accusations)) {
    excluded.add(dealer);
    if (accusers.length <= state.plan.aggregation.collusion)
      for (const accuser of accusers) excluded.add(accuser);
  }
  return [...excluded];
}

export function fail(state: RunState, code: ErrorCode, reason: string): Step {
  return {
    state: { ...state, status: 'failed', reason: `${code}: ${reason}`, stage: { kind: 'ended' } },
    effects: [
      { type: 'run-changed' },
      { type: 'event', kind: 'ended', data: { status: 'failed', code, reason } },
    ],
  };
}

export function publish(
  state: RunState,
  open: OpenAttempt,
  input: Extract<RoundInput, { type: 'summed' }>,
  now: number,
  context: RoundContext,
): Step {
  const { result } = input;
  const { plan } = state;
  if (open.secagg.phase !== 'unmask')
    throw new TributaryError('wrong-phase', `A sum in phase ${open.secagg.phase}.`);
  const survivors = survivorsOf(open.secagg);
  const metrics = metricsOf(plan, result.scalars);
  if (!(metrics.weight > 0))
    return voidAttempt(state, open, 'sum-corrupt', `The sum of the weights is ${metrics.weight}.`);
  if (!(result.norm <= plan.aggregation.clip * (1 + 1e-3)))
    return voidAttempt(
      state,
      open,
      'sum-corrupt',
      `The mean update has norm ${result.norm}, above the clip ${plan.aggregation.clip}.`,
    );
  const round = state.head.round + 1;
  const body: Transcript = {
    version: 1,
    coordinator: context.identity.id,
    run: state.id,
    round,
    announcement: open.secagg.attempt,
    roster: open.secagg.roster.hash,
    cohort: open.secagg.cohort.hash,
    survivors: open.secagg.survivors.hash,
    updates: open.secagg.survivors.statement.updates,
    sum: result.sum,
    model: result.model,
    weights: result.weights,
    previous: state.head.transcript,
  };
  const transcript = hashStatement(context.crypto, 'transcript', body);
  const head: Head = { round, model: result.model, weights: result.weights, transcript };
  const name = (member: string): string => open.names[member] ?? member;
  const record: RoundRecord = {
    round,
    attempts: open.number,
    participants: survivors.map(name),
    dropped: rosterOf(open.secagg)
      .filter((member) => !survivors.includes(member))
      .map(name),
    metrics,
    evaluations: [],
    model: result.model,
    transcript,
    started: open.opened,
    published: now,
    bytesUp: open.bytesUp,
    bytesDown: input.bytesDown,
    engines: Object.fromEntries(
      Object.entries(input.engines ?? {}).map(([member, engine]) => [name(member), engine]),
    ),
  };
  const best = nextBest(state, metrics);
  const stopped = plan.earlyStop && best && best.since >= plan.earlyStop.patience;
  const done = round >= plan.rounds || stopped;
  const going = state.paused === undefined ? 'running' : 'paused';
  const reason = stopped ? `Early stop: no better ${plan.earlyStop?.metric} for ${best.since} rounds.` : null;
  const effects: Effect[] = [
    {
      type: 'publish',
      head,
      record,
      transcript: { body, signature: sign(context.crypto, context.identity, 'transcript', body) },
    },
    {
      type: 'send',
      to: Object.keys(open.names),
      message: {
        type: 'published',
        attempt: open.secagg.attempt,
        run: state.id,
        round,
        model: result.model,
        weights: result.weights,
        transcript,
      },
    },
    { type: 'discard', attempt: open.secagg.attempt },
    { type: 'event', kind: 'published', data: { record } },
  ];
  if (done)
    effects.push({ type: 'run-changed' }, { type: 'event', kind: 'ended', data: { status: 'done', reason } });
  const { voided: _, ...moved } = state;
  return {
    state: {
      ...moved,
      status: done ? 'done' : going,
      reason,
      head,
      stage: done ? { kind: 'ended' } : { kind: 'gathering' },
      sittingOut: [],
      excluded: excludedNext(state, open),
      attempts: 0,
      best,
    },
    effects,
  };
}

/** Weighted means from the decoded sums. */
function metricsOf(plan: Plan, scalars: readonly number[]): RoundMetrics {
  const sums = Object.fromEntries(scalarNames(plan).map((name, i) => [name, scalars[i] ?? Number.NaN]));
  const count = Math.round(sums.holdoutCount!);
  const holdout = {
    count,
    loss: sums.holdoutLoss! / count,
    metrics: Object.fromEntries(
      plan.training.metrics.map((metric) => [metric, sums[`holdout.${metric}`]! / count]),
    ),
  };
  return {
    weight: sums.weight!,
    trainingLoss: sums.trainingLoss! / sums.weight!,
    clipped: Math.round(sums.clipped!),
    holdout: count > 0 ? holdout : null,
  };
}

function nextBest(state: RunState, metrics: RoundMetrics): RunState['best'] {
  const rule = state.plan.earlyStop;
  if (!rule || !metrics.holdout) return state.best;
  const value = rule.metric === 'loss' ? metrics.holdout.loss : metrics.holdout.metrics[rule.metric]!;
  const rises = rule.metric === 'accuracy';
  const better = !state.best || (rises ? value - state.best.value : state.best.value - value) > rule.minDelta;
  return better ? { value, since: 0 } : { value: state.best!.value, since: state.best!.since + 1 };
}
