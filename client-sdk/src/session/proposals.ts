/** Runs: what this node answers to a proposal, and when it changes its answer. */
import {
  asTributaryError,
  type ErrorCode,
  hashStatement,
  type Plan,
  parsePlan,
  type ServerMessageOf,
} from '@tributary/protocol';
import { hashesOf, judge, type Verdict } from '../policy/index.ts';
import { dropAttempt, leave } from './attempt.ts';
import { type Effect, emit, type SessionContext, type Step, send } from './io.ts';
import { type Answer, type KnownRun, type SessionState, withEntry } from './state.ts';

/** A coordinator cannot fill this node's memory: the oldest runs without a live attempt make room. */
const KNOWN_RUNS = 1000;
const KNOWN_BYTES = 64 * 1024 * 1024;

/** Answered every time, because the answer before may have got lost with its connection. */
export function propose(
  state: SessionState,
  { run, plan: raw }: ServerMessageOf<'proposal'>,
  context: SessionContext,
): Step {
  const { crypto, policy } = context;
  let plan: Plan;
  try {
    plan = parsePlan(raw);
  } catch (thrown) {
    const { code, message } = asTributaryError(thrown);
    const hash = hashStatement(crypto, 'plan', raw);
    return { state, effects: declined(run, hash, code === 'internal' ? 'malformed' : code, message) };
  }
  const hashes = hashesOf(crypto, plan);
  if (policy.role === 'evaluator')
    return { state, effects: declined(run, hashes.plan, 'forbidden', 'This node only evaluates.') };
  const verdict = judge(policy, plan, hashes, state.approvals);
  const before = state.runs.get(run);
  // Its history is not this node's any more, whatever the plan.
  if (before && isRolledBack(before) && verdict.verdict === 'allow') {
    const reason = 'This run went back behind rounds that this node has seen.';
    return {
      state,
      effects: [send({ type: 'decline', run, plan: hashes.plan, code: 'rolled-back', reason })],
    };
  }
  const { answer, effects } = answerTo(run, hashes.plan, verdict);
  const known: KnownRun = { plan, hashes, answer, bytes: JSON.stringify(plan).length };
  const next = { ...state, runs: withEntry(withRoom(state, known.bytes), run, known) };
  if (before?.hashes.plan === hashes.plan && sameAnswer(before.answer, answer))
    return { state: next, effects: effects.filter(({ type }) => type === 'send') };
  const event = emit({
    type: 'proposal',
    run,
    plan,
    planHash: hashes.plan,
    topologyHash: hashes.topology,
    verdict,
  });
  return { state: next, effects: [event, ...effects] };
}

function answerTo(run: string, plan: string, verdict: Verdict): { answer: Answer; effects: Effect[] } {
  switch (verdict.verdict) {
    case 'allow':
      return {
        answer: { kind: 'consented' },
        effects: [send({ type: 'consent', run, plan }), emit({ type: 'consent', run, planHash: plan })],
      };
    case 'ask': {
      const reason = 'plans is ask: the owner of this node has not decided yet.';
      return {
        answer: { kind: 'declined', code: 'approval-pending' },
        effects: [send({ type: 'decline', run, plan, code: 'approval-pending', reason })],
      };
    }
    case 'refuse':
      return {
        answer: { kind: 'declined', code: verdict.code },
        effects: declined(run, plan, verdict.code, verdict.message),
      };
    default:
      return verdict satisfies never;
  }
}

function declined(run: string, plan: string, code: ErrorCode, message: string): Effect[] {
  return [
    send({ type: 'decline', run, plan, code, reason: message.slice(0, 1000) }),
    emit({ type: 'refused', run, place: null, code, message }),
  ];
}

/** The owner has decided about plans, or accepted members: runs whose answer changes are answered again. */
export function reconsider(
  state: SessionState,
  because: 'approvals' | 'pinned',
  now: number,
  context: SessionContext,
): Step {
  let next = state;
  const effects: Effect[] = [];
  for (const [run, known] of state.runs) {
    const verdict = judge(context.policy, known.plan, known.hashes, state.approvals);
    const { answer, effects: answers } = answerTo(run, known.hashes.plan, verdict);
    if (sameAnswer(known.answer, answer) || isRolledBack(known)) continue;
    // The strangers are still strangers: consenting again would only cost another attempt.
    const strangers = known.answer.kind === 'declined' && known.answer.code === 'stranger-in-roster';
    if (strangers && answer.kind === 'consented' && because !== 'pinned') continue;
    const live = next.attempts.get(run);
    if (live && answer.kind === 'declined') {
      const reason = verdict.verdict === 'refuse' ? verdict.message : 'The owner is asked again.';
      const left = leave(next, live, answer.code, reason, now);
      next = left.state;
      effects.push(...left.effects);
    }
    next = { ...next, runs: withEntry(next.runs, run, { ...known, answer }) };
    effects.push(...answers);
  }
  return { state: next, effects };
}

/** The coordinator says that a run is over. An evaluator still reports the models that it was asked about. */
export function runEnded(state: SessionState, message: ServerMessageOf<'run-ended'>): Step {
  const { run, status, reason } = message;
  const live = state.attempts.get(run);
  const dropped = live
    ? dropAttempt(state, live, 'wrong-attempt', `The run is ${status}.`)
    : { state, effects: [] };
  return {
    state: {
      ...dropped.state,
      runs: withEntry(dropped.state.runs, run, undefined),
    },
    effects: [...dropped.effects, emit({ type: 'run-ended', run, status, reason })],
  };
}

function withRoom({ runs, attempts }: SessionState, needed: number): ReadonlyMap<string, KnownRun> {
  let total = needed;
  for (const { bytes } of runs.values()) total += bytes;
  if (runs.size < KNOWN_RUNS && total <= KNOWN_BYTES) return runs;
  const left = new Map(runs);
  for (const [run, { bytes }] of runs) {
    if (left.size < KNOWN_RUNS && total <= KNOWN_BYTES) break;
    if (attempts.has(run)) continue;
    left.delete(run);
    total -= bytes;
  }
  return left;
}

/** In a higher epoch than any that this node has heard of, another backup was restored: it may have what was missing. */
export function greeted(state: SessionState, epoch: number): Step {
  if (epoch <= state.ledger.epoch) return { state, effects: [] };
  const runs = new Map([...state.runs].filter(([, known]) => !isRolledBack(known)));
  return { state: { ...state, runs }, effects: [] };
}

function isRolledBack({ answer }: KnownRun): boolean {
  return answer.kind === 'declined' && answer.code === 'rolled-back';
}

function sameAnswer(a: Answer, b: Answer): boolean {
  return a.kind === 'declined' ? b.kind === 'declined' && a.code === b.code : b.kind === 'consented';
}
