/** One attempt inside a run: opening it, taking members' messages, closing its phases. */
import { LIMITS, type Plan, scalarNames, TributaryError } from '@tributary/protocol';
import * as secagg from '@tributary/protocol/secagg';
import { withCertificates } from './abandonment.ts';
import { phaseEvent, send } from './effects.ts';
import type { Effect, RoundContext, RoundInput, Step } from './io.ts';
import { cohortOf, survivorsOf } from './lists.ts';
import { fail, voidAttempt } from './outcome.ts';
import { answered, quorum } from './quorum.ts';
import type { OpenAttempt, RunState } from './state.ts';

export function openAttempt(
  state: RunState,
  input: Extract<RoundInput, { type: 'open' }>,
  now: number,
  context: RoundContext,
): Step {
  const { plan } = state;
  if (state.stage.kind !== 'gathering')
    throw new TributaryError('wrong-phase', `Run ${state.id} has an open attempt.`);
  if (state.paused !== undefined)
    throw new TributaryError('wrong-phase', `Run ${state.id} is paused by ${state.paused}.`);
  if (state.attempts >= LIMITS.attempts)
    return fail(
      state,
      'below-threshold',
      `${LIMITS.attempts} attempts at round ${state.head.round + 1} failed.`,
    );
  if (input.invited.length < plan.cohort.min)
    throw new TributaryError(
      'cohort-too-small',
      `${input.invited.length} partners; the plan asks for ${plan.cohort.min}.`,
    );
  if (input.invited.length > plan.cohort.max)
    throw new TributaryError(
      'cohort-too-large',
      `${input.invited.length} partners; the plan allows ${plan.cohort.max}.`,
    );
  const members = input.invited.map((invitee) => invitee.member);
  const opened = secagg.openServerAttempt(
    context,
    {
      epoch: input.epoch,
      run: state.id,
      round: state.head.round + 1,
      attempt: state.attempts + 1,
      nonce: input.nonce,
      plan: state.planHash,
      model: state.head.model,
      weights: state.head.weights,
      layout: { parameters: state.parameters, scalars: scalarNames(plan).length },
      aggregation: announced(plan),
      previousTranscript: state.head.transcript,
    },
    members,
  );
  const open: OpenAttempt = {
    secagg: opened.state,
    number: state.attempts + 1,
    opened: now,
    names: Object.fromEntries(input.invited.map((invitee) => [invitee.member, invitee.name])),
    bytesUp: 0,
    departures: {},
    accusations: {},
  };
  return {
    state: {
      ...state,
      status: 'running',
      attempts: open.number,
      excluded: [],
      stage: { kind: 'attempt', open },
    },
    effects: [
      { type: 'run-changed' },
      phaseEvent(state, open),
      send(members, {
        type: 'announce',
        announcement: opened.announcement,
        signature: opened.signature,
        ...withCertificates(state),
      }),
    ],
  };
}

function announced(plan: Plan) {
  const { mode, clip, coordinateBound, weightCap, weights, collusion } = plan.aggregation;
  return { mode, clip, coordinateBound: coordinateBound ?? clip, weightCap, weights, collusion };
}

/** Ends the current phase with those who have answered; the stragglers are out. */
export function closePhase(state: RunState, why: string, context: RoundContext): Step {
  if (state.stage.kind !== 'attempt') return { state, effects: [] };
  const { open } = state.stage;
  if (answered(state) >= quorum(state)) return enterNext(state, open, context);
  const waiting = secagg.awaited(open.secagg).map((member) => open.names[member] ?? member);
  const words = `${answered(state)} of ${quorum(state)} needed answered; no word from ${waiting.join(', ') || 'anybody'}${departed(open)}`;
  const code = why === 'maximum' ? 'timed-out' : 'below-threshold';
  return voidAttempt(state, open, code, `Phase ${open.secagg.phase}: ${words} (${why}).`);
}

/** Goes on by itself as long as nobody is awaited, or gives up as soon as the quorum is out of reach. */
export function advance(first: Step, context: RoundContext): Step {
  let { state } = first;
  const effects: Effect[] = [...first.effects];
  const add = (next: Step): void => {
    state = next.state;
    effects.push(...next.effects);
  };
  while (state.stage.kind === 'attempt') {
    const { open } = state.stage;
    const outlook = outlookOf(state, open);
    if (outlook === 'ready') add(enterNext(state, open, context));
    else if (outlook === 'open') break;
    else add(voidAttempt(state, open, 'below-threshold', outlook.hopeless));
  }
  return { state, effects };
}

function outlookOf(state: RunState, open: OpenAttempt): 'ready' | 'open' | { hopeless: string } {
  const [done, needed] = [answered(state), quorum(state)];
  const awaited = secagg.awaited(open.secagg).length;
  if (open.secagg.phase === 'unmask' && secagg.unmaskReady(open.secagg)) return 'ready';
  if (done + awaited < needed)
    return {
      hopeless: `Phase ${open.secagg.phase}: ${done} answered, ${awaited} are awaited, ${needed} are needed${departed(open)}.`,
    };
  const byThreshold = open.secagg.phase === 'agree' || open.secagg.phase === 'unmask';
  return awaited === 0 && !byThreshold ? 'ready' : 'open';
}

/** Who left this attempt and why, for a reason in words. */
function departed(open: OpenAttempt): string {
  const entries = Object.entries(open.departures).map(([name, code]) => `${name} (${code})`);
  return entries.length > 0 ? `; left: ${entries.join(', ')}` : '';
}

/** From one phase into the next; in phase `agree` the machine inside does so by itself at the t-th signature. */
function enterNext(state: RunState, open: OpenAttempt, context: RoundContext): Step {
  const { attempt } = open.secagg;
  const { cohort } = state.plan;
  const enter = (next: secagg.ServerAttempt, effects: Effect[]): Step => {
    const entered = { ...open, secagg: next };
    return {
      state: { ...state, stage: { kind: 'attempt', open: entered } },
      effects: [phaseEvent(state, entered), ...effects],
    };
  };
  const failed = ({ error }: secagg.Failed): Step => voidAttempt(state, open, error.code, error.message);
  switch (open.secagg.phase) {
    case 'advertise': {
      const next = secagg.freezeRoster(open.secagg, context, { minimum: cohort.min });
      if (next.kind === 'failed') return failed(next);
      const { roster, signature } = next;
      const members = roster.adverts.map(({ advert }) => advert.member);
      return enter(next.state, [send(members, { type: 'roster', attempt, roster, signature })]);
    }
    case 'share': {
      const next = secagg.freezeCohort(open.secagg, context, { minimum: cohort.min });
      if (next.kind === 'failed') return failed(next);
      const { cohort: u2, signature } = next;
      const to = (member: string): Effect =>
        send([member], {
          type: 'cohort',
          attempt,
          cohort: u2,
          signature,
          deals: secagg.dealsFor(next.state, member),
        });
      return enter(
        next.state,
        u2.members.map(({ member }) => to(member)),
      );
    }
    case 'upload': {
      const next = secagg.freezeSurvivors(open.secagg, context, { minSum: cohort.minSum });
      if (next.kind === 'failed') return failed(next);
      const { survivors, signature } = next;
      const members = survivors.updates.map(({ member }) => member);
      const secure = state.plan.aggregation.mode === 'secure';
      return enter(
        next.state,
        secure ? [send(members, { type: 'survivors', attempt, survivors, signature })] : [],
      );
    }
    case 'agree':
      return { state, effects: [] };
    case 'unmask': {
      const result = secagg.reconstruct(open.secagg, context);
      if (result.kind === 'order') return sum(state, open, result.order);
      const convicted = { ...state, excluded: [...new Set([...state.excluded, ...result.dealers])] };
      const names = result.dealers.map((dealer) => open.names[dealer] ?? dealer).join(', ');
      return voidAttempt(
        convicted,
        open,
        'bad-share',
        `Shares dealt by ${names} do not fit what was committed to.`,
      );
    }
    default:
      return open.secagg satisfies never;
  }
}

function sum(state: RunState, open: OpenAttempt, order: secagg.UnmaskingOrder): Step {
  return {
    state: { ...state, stage: { kind: 'summing', open } },
    effects: [
      {
        type: 'event',
        kind: 'phase',
        data: { phase: 'summing', round: state.head.round + 1, attempt: open.number },
      },
      sumEffect(open, order),
    ],
  };
}

export function sumEffect({ secagg: attempt }: OpenAttempt, order: secagg.UnmaskingOrder): Effect {
  const survivors = survivorsOf(attempt);
  return { type: 'sum', attempt: attempt.attempt, survivors, cohortSize: cohortOf(attempt).length, order };
}
