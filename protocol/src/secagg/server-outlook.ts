/** Questions that the round machine asks about an attempt: who is awaited, what to send again. */
import type { ServerMessage } from '../messages.ts';
import { dealsFor } from './server-share.ts';
import { isSecure, present, type ServerAttempt } from './server-state.ts';

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
