/** Who can take part now, and whether to open an attempt. Pure; connections and time come from the coordinator. */
import { uncertified } from './abandonment.ts';
import type { Invitee } from './io.ts';
import type { RunState } from './state.ts';

export interface Gathering {
  /** Partners that could be invited now. */
  readonly eligible: readonly Invitee[];
  /** Connected partners that have not answered the proposal yet. */
  readonly undecided: number;
  /** For an attempt to be opened now. */
  readonly enough: boolean;
}

/** @param connected active partners with a session, in any order. */
export function gather(state: RunState, connected: readonly Invitee[]): Gathering {
  const out = outOf(state);
  const eligible = connected.filter(
    ({ member }) => state.answers[member]?.kind === 'consent' && !out.has(member),
  );
  const undecided = connected.filter(({ member }) => !state.answers[member]).length;
  const enough = state.paused === undefined && eligible.length >= state.plan.cohort.min;
  return { eligible, undecided, enough };
}

/** Exclusions lapse where too few others have consented: failing attempts are counted, waiting would have no end. */
function outOf(state: RunState): ReadonlySet<string> {
  const { answers, sittingOut, excluded, plan } = state;
  const resting = [...sittingOut, ...uncertified(state)];
  const out = new Set([...resting, ...excluded]);
  const others = Object.keys(answers).filter(
    (member) => answers[member]!.kind === 'consent' && !out.has(member),
  );
  return others.length >= plan.cohort.min ? out : new Set(resting);
}

/**
 * The invitees of an attempt: all eligible ones, or `cohort.max` of them in an order that follows from the plan's seed
 * and the round, so that a plan cannot favour a partner.
 */
export function select(state: RunState, eligible: readonly Invitee[]): Invitee[] {
  const { max } = state.plan.cohort;
  if (eligible.length <= max) return [...eligible];
  const rank = (member: string): number =>
    hash32(`${state.plan.seed}/${state.id}/${state.head.round}/${member}`);
  return [...eligible].sort((a, b) => rank(a.member) - rank(b.member)).slice(0, max);
}

/** FNV-1a, 32 bits: an order, not a secret. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** In words, why no attempt is open. */
export function waitingFor(state: RunState, gathering: Gathering): string {
  if (state.paused !== undefined) return `paused by ${state.paused}`;
  const { min } = state.plan.cohort;
  const declines = Object.values(state.answers).filter((answer) => answer.kind === 'decline');
  const pending = declines.filter(({ code }) => code === 'approval-pending').length;
  const declined = declines.length - pending;
  const parts = [`${gathering.eligible.length} of ${min} partners are ready`];
  if (gathering.undecided > 0) parts.push(`${gathering.undecided} not answered yet`);
  if (pending > 0) parts.push(`${pending} ${pending === 1 ? 'waits' : 'wait'} for the owner's approval`);
  if (declined > 0) parts.push(`${declined} declined`);
  const resting = new Set([...state.sittingOut, ...uncertified(state)]).size;
  if (resting > 0)
    parts.push(
      `${resting} ${resting === 1 ? 'sits' : 'sit'} out, having sent a vector on this base model already, until enough others certify that it was abandoned; another seed, or another base model (\`runs start --weights FILE --perturb\`), starts afresh`,
    );
  if (state.excluded.length > 0) parts.push(`${state.excluded.length} are excluded from the next attempt`);
  return parts.join('; ');
}
