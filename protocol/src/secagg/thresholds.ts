/**
 * How many members each step of an attempt needs (PROTOCOL.md 6). Both sides compute these numbers themselves.
 * n = |U1|, c = members assumed to collude with the coordinator, t = Shamir threshold.
 */
import { FLOORS } from '../limits.ts';

/**
 * Two sets of t out of n share more than c members, so at least one honest one: no coordinator finds agreement on two
 * different survivor sets, nor gathers t shares of both secrets of one member. May exceed n: then nothing can run.
 */
export function threshold(n: number, c: number): number {
  return Math.max(FLOORS.threshold, Math.floor((n + c) / 2) + 1);
}

/** Least |U2|, since fewer than t could never unmask. `minRoster` is the partner's own policy. */
export function cohortFloor({ t, minRoster }: { t: number; minRoster: number }): number {
  return Math.max(t, minRoster, FLOORS.members);
}

/** Least |U3|. c + 2: the colluders who subtract their own updates are left with a sum of at least two. */
export function survivorFloor({ t, c, minSum }: { t: number; c: number; minSum: number }): number {
  return Math.max(t, c + 2, minSum, FLOORS.members);
}

/**
 * Members of U1 who must abandon an attempt before it is certain that nothing will be unmasked. c of them may lie and
 * reveal their shares nevertheless, and so may the n - quorum others: c + n - quorum < t.
 */
export function abandonQuorum({ n, t, c }: { n: number; t: number; c: number }): number {
  return n - t + c + 1;
}

/** Members of U2 = U1 that may vanish before U3. Negative: not even all n are enough. */
export function dropoutsSurvived(n: number, c: number, minSum: number): number {
  return n - survivorFloor({ t: threshold(n, c), c, minSum });
}

/** The arithmetic behind `dropoutsSurvived`, in words, for `dropouts` members that vanish. */
export function explainDropouts(n: number, c: number, minSum: number, dropouts: number): string {
  const t = threshold(n, c);
  const floor = survivorFloor({ t, c, minSum });
  const remaining = n - dropouts;
  const formula = `t = max(${FLOORS.threshold}, floor((${n} + ${c}) / 2) + 1) = ${t}`;
  const floors =
    floor === t
      ? ''
      : `, the sum needs max(t = ${t}, c + 2 = ${c + 2}, minSum = ${minSum}, ${FLOORS.members}) = ${floor}`;
  const relation = remaining < floor ? `${remaining} < ${floor}` : `${remaining} >= ${floor}`;
  const vanish = dropouts === 1 ? '1 drop-out leaves' : `${dropouts} drop-outs leave`;
  return `${n} partners, c = ${c}: ${formula}${floors}, so ${vanish} ${relation}`;
}
