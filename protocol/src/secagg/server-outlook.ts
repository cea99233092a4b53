/** Questions that the round machine asks about an attempt: who is awaited, what to send again, whether it can still end well. */
import { TributaryError } from '../errors.ts';
import type { ServerMessage } from '../messages.ts';
import { dealsFor } from './server-share.ts';
import { isSecure, present, type ServerAttempt } from './server-state.ts';
import { survivorFloor } from './thresholds.ts';

/** Members whose answer the current phase still lacks. In `unmask`, t answers are enough (`unmaskReady`). */
export function awaited(state: ServerAttempt): string[] {
  return present(state).filter((member) => !hasAnswered(state, member));
}

function hasAnswered(state: ServerAttempt, member: string): boolean {
  switch (state.phase) {
    case 'advertise':
      return state.adverts[member] !== undefined;
    case 'share':
      return state.deals[member] !== undefined;
    case 'upload':
      return state.updates[member] !== undefined;
    case 'agree':
      return state.signatures.some((signed) => signed.member === member);
    case 'unmask':
      return !isSecure(state) || state.answers[member] !== undefined;
  }
}

/**
 * What `member` must see now, after a reconnection: the requests of this phase that it has not answered. Nothing for who
 * is not in the current list. A client answers what it has answered before with the same bytes.
 */
export function resend(state: ServerAttempt, member: string): ServerMessage[] {
  if (!awaited(state).includes(member)) return [];
  const { attempt } = state;
  switch (state.phase) {
    case 'advertise':
      return [{ type: 'announce', announcement: state.announcement, signature: state.signature }];
    case 'share':
      return [{ type: 'roster', attempt, roster: state.roster.statement, signature: state.roster.signature }];
    case 'upload':
      return [
        {
          type: 'cohort',
          attempt,
          cohort: state.cohort.statement,
          signature: state.cohort.signature,
          deals: dealsFor(state, member),
        },
      ];
    case 'agree':
    case 'unmask': {
      const { statement, signature } = state.survivors;
      const survivors: ServerMessage = { type: 'survivors', attempt, survivors: statement, signature };
      if (state.phase === 'agree') return [survivors];
      return [survivors, { type: 'agreed', attempt, signatures: [...state.signatures] }];
    }
  }
}

/** Why this attempt cannot end well any more, however long it waits; null while it can. For early abandonment. */
export function hopeless(state: ServerAttempt, { minSum }: { minSum: number }): TributaryError | null {
  if (state.phase === 'advertise') return null;
  const remaining = present(state).length;
  const { threshold: t } = state;
  const c = state.announcement.aggregation.collusion;
  // U3 stands once it is frozen; from there on t answers are enough.
  const frozen = state.phase === 'agree' || state.phase === 'unmask';
  const floor = frozen ? (isSecure(state) ? t : 0) : survivorFloor({ t, c, minSum });
  const answered =
    state.phase === 'unmask' ? Object.keys(state.answers).filter((m) => state.left.includes(m)) : [];
  const counted = remaining + answered.length;
  if (counted >= floor) return null;
  return new TributaryError(
    'below-threshold',
    `Phase ${state.phase}: ${counted} members remain, ${floor} are needed.`,
  );
}
