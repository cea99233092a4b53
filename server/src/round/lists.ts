/** The frozen lists of an attempt, as member ids; empty before they are frozen. */
import type { ServerAttempt } from '@tributary/protocol/secagg';

export function rosterOf(attempt: ServerAttempt): string[] {
  return 'roster' in attempt ? attempt.roster.statement.adverts.map(({ advert }) => advert.member) : [];
}

export function cohortOf(attempt: ServerAttempt): string[] {
  return 'cohort' in attempt ? attempt.cohort.statement.members.map(({ member }) => member) : [];
}

export function survivorsOf(attempt: ServerAttempt): string[] {
  return 'survivors' in attempt ? attempt.survivors.statement.updates.map(({ member }) => member) : [];
}
