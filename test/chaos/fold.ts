/**
 * One round computed again, in plain arithmetic and from nothing but PROTOCOL.md 6: neither the ring nor the strategy of
 * the programs under test. The vectors are those that the nodes wrote down; the model must come out bit for bit.
 */
import { type Plan, scalarNames } from '@tributary/protocol';

/** Words from one sentinel to the next. */
const SPACING = 65_536;

export interface Expected {
  /** Weights after FedAvg (McMahan et al. 2017). */
  readonly values: Float32Array;
  /** Sum of the weights of the survivors. */
  readonly weight: number;
}

/** @param members |U2| @throws when the vectors do not belong together */
export function expectedModel(
  plan: Plan,
  base: Float32Array,
  vectors: readonly Uint32Array[],
  members: number,
): Expected {
  const { clip, coordinateBound = clip, weightCap } = plan.aggregation;
  const payload = base.length + 2 * scalarNames(plan).length;
  const length = payload + Math.ceil(payload / (SPACING - 1));
  const sum = new Uint32Array(length);
  for (const vector of vectors) {
    if (vector.length !== length) throw new Error(`a vector of ${vector.length} words, not ${length}`);
    for (let i = 0; i < length; i++) sum[i] = sum[i]! + vector[i]!;
  }
  for (let at = 0; at < length; at += SPACING)
    if (sum[at] !== vectors.length) throw new Error(`sentinel ${at / SPACING} is ${sum[at]}`);
  const word = (index: number) => sum[index + Math.floor(index / (SPACING - 1)) + 1]!;
  // Scalar 0: two 24-bit limbs of the value plus 2^47, low limb first, behind the coordinates.
  const weight = (word(base.length + 1) - vectors.length * 2 ** 23) * 2 ** 24 + word(base.length);
  const bound = Math.floor((2 ** 31 - 1) / members);
  const step = 1 / ((bound / coordinateBound) * (weight / weightCap));
  const values = base.map((value, i) => Math.fround(value + Math.fround((word(i) | 0) * step)));
  return { values, weight };
}
