/**
 * Scalars that ride in the masked vector: weights, loss and accuracy sums (PROTOCOL.md 6). Signed fixed point:
 * X = round(value x scale), |X| < 2^47, stored as X + 2^47 in two 24-bit limbs, low limb first. Limbs of up to
 * 128 members sum to less than 2^31, so nothing wraps. Values out of range are refused, never clamped.
 */
import { TributaryError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type Layout, physicalIndex } from './layout.ts';

const HALF = 2 ** 47;
const LIMB = 2 ** 24;

/** @throws not-finite, overflow. Naming the slot, not the value, which is private. */
export function encodeScalar(
  words: Uint32Array,
  layout: Layout,
  slot: number,
  value: number,
  scale: number,
): void {
  const { low, high } = limbsOf(layout, slot);
  if (!Number.isFinite(value))
    throw new TributaryError('not-finite', `Scalar ${slot} of the update is not finite.`);
  const fixed = Math.round(value * scale);
  if (!(Math.abs(fixed) < HALF))
    throw new TributaryError(
      'overflow',
      `Scalar ${slot} of the update does not fit 48 bits at scale ${scale}.`,
    );
  words[low] = (fixed + HALF) % LIMB;
  words[high] = Math.floor((fixed + HALF) / LIMB);
}

/**
 * The sum over `members` (|U3|) of what they encoded: exact while the sum of X is below 2^53, else rounded once.
 * @throws overflow for more members than the limbs bear; sum-corrupt for limbs that no members can sum to.
 */
export function decodeScalarSum(
  words: Uint32Array,
  layout: Layout,
  slot: number,
  members: number,
  scale: number,
): number {
  const limbs = limbsOf(layout, slot);
  if (!Number.isInteger(members) || members < 1 || members > LIMITS.cohort)
    throw new TributaryError(
      'overflow',
      `Scalars can be summed over 1 to ${LIMITS.cohort} members, not ${members}.`,
    );
  const low = words[limbs.low]!;
  const high = words[limbs.high]!;
  if (low > members * (LIMB - 1) || high > members * (LIMB - 1))
    throw new TributaryError('sum-corrupt', `Scalar ${slot} of the sum cannot come from ${members} members.`);
  return ((high - members * (HALF / LIMB)) * LIMB + low) / scale;
}

function limbsOf(layout: Layout, slot: number): { low: number; high: number } {
  if (!Number.isInteger(slot) || slot < 0 || slot >= layout.scalars)
    throw new TributaryError('malformed', `The vector has ${layout.scalars} scalar slots, no slot ${slot}.`);
  const first = layout.parameters + 2 * slot;
  return { low: physicalIndex(first), high: physicalIndex(first + 1) };
}
