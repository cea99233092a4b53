/** `--drop K`: who is killed in round 2, when, and whether the round can bear it. */
import { FLOORS } from '@tributary/protocol';
import { dropoutsSurvived, explainDropouts } from '@tributary/protocol/secagg';
import { UsageError } from '../support/usage-error.ts';

/** The round in which partners are killed. */
export const DROP_ROUND = 2;
/** Least members of a sum, as the demo's plan and policies have it. */
export const MIN_SUM = FLOORS.members;

interface Drop {
  readonly partners: number;
  readonly drop: number;
  readonly rounds: number;
}

export interface Victim {
  readonly name: string;
  /** Killed before the first byte of its masked vector leaves, or once the coordinator has all of it. */
  readonly when: 'before' | 'after';
}

export const partnerName = (index: number): string => `partner-${index + 1}`;

/** The last K partners, alternately before and after their upload. */
export function victimsOf({ partners, drop }: Omit<Drop, 'rounds'>): Victim[] {
  return Array.from({ length: drop }, (_, i) => ({
    name: partnerName(partners - drop + i),
    when: i % 2 === 0 ? 'before' : 'after',
  }));
}

/** @throws UsageError with the arithmetic of the threshold */
export function requireBearableDrop(options: Drop): void {
  const { partners, drop, rounds } = options;
  if (drop === 0) return;
  if (rounds < DROP_ROUND)
    throw new UsageError(
      `--drop ${drop} kills in round ${DROP_ROUND}, and --rounds is ${rounds}.`,
      `Give --rounds ${DROP_ROUND} or more.`,
    );
  const most = dropoutsSurvived(partners, FLOORS.collusion, MIN_SUM);
  if (drop <= most) return;
  const arithmetic = explainDropouts(partners, FLOORS.collusion, MIN_SUM, drop);
  const enough = fewestPartners(drop);
  const more = enough === undefined ? '' : `--partners ${enough} or more`;
  const less = most > 0 ? `--drop ${most} or less` : '';
  throw new UsageError(
    `--drop ${drop} is more than the round can bear. ${arithmetic}: nobody could unmask the sum.`,
    `Give ${[less, more].filter(Boolean).join(', or ')}.`,
  );
}

function fewestPartners(drop: number): number | undefined {
  for (let partners = FLOORS.members; partners <= 128; partners++)
    if (dropoutsSurvived(partners, FLOORS.collusion, MIN_SUM) >= drop) return partners;
  return undefined;
}
