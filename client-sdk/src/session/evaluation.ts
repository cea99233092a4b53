/** Evaluator nodes: a model that the coordinator names, on public data, reported in the clear. */
import { parsePlan, type ServerMessageOf, TributaryError } from '@tributary/protocol';
import { hashesOf, judge } from '../policy/index.ts';
import { emit, type SessionContext, type SessionInput, type Step, send, warn } from './io.ts';
import { evaluationKey, type LiveEvaluation, type SessionState, withEntry } from './state.ts';

/** @throws forbidden for a partner, whose metrics ride in the masked vector only; plan-invalid */
export function evaluate(
  state: SessionState,
  { run, round, model, plan: raw }: ServerMessageOf<'evaluate'>,
  { crypto, policy }: SessionContext,
): Step {
  if (policy.role !== 'evaluator')
    throw new TributaryError(
      'forbidden',
      `The coordinator asked for an evaluation in the clear (run ${run}, round ${round}); this node is a partner.`,
    );
  const before = state.evaluations.get(evaluationKey(run, round));
  if (before?.model === model) {
    const { result } = before;
    return { state, effects: result ? [send(report(run, round, model, result))] : [] };
  }
  const waiting = [...state.evaluations.values()].filter(({ result }) => result === null).length;
  if (waiting >= WAITING)
    throw new TributaryError('rate-limited', `${waiting} evaluations wait already: ask again later.`);
  const plan = parsePlan(raw);
  const hashes = hashesOf(crypto, plan);
  const verdict = judge(policy, plan, hashes, state.approvals);
  if (verdict.verdict !== 'allow') {
    const event = { run, plan, planHash: hashes.plan, topologyHash: hashes.topology, verdict };
    return { state, effects: [emit({ type: 'proposal', ...event })] };
  }
  return {
    state: {
      ...state,
      evaluations: keepEvaluation(state, { run, round, model, result: null }),
    },
    effects: [{ type: 'evaluate', run, round, model, plan }],
  };
}

export function evaluated(
  state: SessionState,
  { run, round, model, result }: Extract<SessionInput, { type: 'evaluated' }>,
): Step {
  const live = state.evaluations.get(evaluationKey(run, round));
  if (live?.model !== model) return { state, effects: [] };
  const numbers = [result.loss, ...Object.values(result.metrics)];
  if (!numbers.every(Number.isFinite)) {
    const error = new TributaryError(
      'not-finite',
      `The model of round ${round} evaluates to ${numbers.join(', ')}.`,
    );
    return evaluationFailed(state, { type: 'evaluation-failed', run, round, model, error });
  }
  return {
    state: { ...state, evaluations: keepEvaluation(state, { run, round, model, result }) },
    effects: [
      send(report(run, round, model, result)),
      emit({ type: 'evaluated', run, round, model, ...result }),
    ],
  };
}

export function evaluationFailed(
  state: SessionState,
  { run, round, model, error }: Extract<SessionInput, { type: 'evaluation-failed' }>,
): Step {
  const live = state.evaluations.get(evaluationKey(run, round));
  // Asked again, it is tried again.
  const evaluations =
    live?.model === model
      ? withEntry(state.evaluations, evaluationKey(run, round), undefined)
      : state.evaluations;
  return { state: { ...state, evaluations }, effects: [warn(error.code, error.message)] };
}

/** Results are kept for the case that the connection broke: the newest ones are enough. */
const KEPT = 100;
/** A long run asks an evaluator that is new for all of its models; beyond this the coordinator asks again by itself. */
const WAITING = 1000;

function keepEvaluation(state: SessionState, live: LiveEvaluation): ReadonlyMap<string, LiveEvaluation> {
  const next = withEntry(state.evaluations, evaluationKey(live.run, live.round), live);
  const told = [...next].filter(([, { result }]) => result !== null);
  for (const [key] of told.slice(0, Math.max(0, told.length - KEPT))) next.delete(key);
  return next;
}

function report(
  run: string,
  round: number,
  model: string,
  { count, loss, metrics }: Extract<SessionInput, { type: 'evaluated' }>['result'],
) {
  return { type: 'evaluation' as const, run, round, model, count, loss, metrics: { ...metrics } };
}
