/** How many answers the current phase has, and how many it needs. */
import { cohortFloor, type ServerAttempt, survivorFloor } from '@tributary/protocol/secagg';
import type { RunState } from './state.ts';

/** Members that have answered in the current phase and did not leave; vectors and unmasking shares stay good when their sender ends. */
export function answeredIn(attempt: ServerAttempt): string[] {
  const staying = (members: readonly string[]) => members.filter((member) => !attempt.left.includes(member));
  switch (attempt.phase) {
    case 'advertise':
      return staying(Object.keys(attempt.adverts));
    case 'share':
      return staying(Object.keys(attempt.deals));
    case 'upload':
      return Object.keys(attempt.updates);
    case 'agree':
      return attempt.signatures.map(({ member }) => member);
    case 'unmask':
      return Object.keys(attempt.answers);
    default:
      return attempt satisfies never;
  }
}

export function answered(state: RunState): number {
  return state.stage.kind === 'attempt' ? answeredIn(state.stage.open.secagg).length : 0;
}

/** Answers without which the current phase cannot close; 0 while no attempt is open. */
export function quorum(state: RunState): number {
  if (state.stage.kind !== 'attempt') return 0;
  const { secagg } = state.stage.open;
  const { min, minSum } = state.plan.cohort;
  const c = state.plan.aggregation.collusion;
  switch (secagg.phase) {
    case 'advertise':
      return min;
    case 'share':
      return cohortFloor({ t: secagg.threshold, minRoster: min });
    case 'upload':
      return survivorFloor({ t: secagg.threshold, c, minSum });
    case 'agree':
      return secagg.threshold;
    case 'unmask':
      return state.plan.aggregation.mode === 'secure' ? secagg.threshold : 0;
    default:
      return secagg satisfies never;
  }
}
