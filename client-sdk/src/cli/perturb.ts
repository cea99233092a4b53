/**
 * A model beside another one. A node sends one vector on the same base weights (PROTOCOL.md 6.8), and sits out when it is
 * asked for a second. After a loss of rounds, a run can go on from a neighbour of the newest model that is left. Two sums
 * from neighbours can be compared as those of two rounds that follow each other can (SECURITY.md, what is not protected).
 */
import { type ModelWeights, TributaryError } from '@tributary/protocol';

/** Standard deviation of the noise, as a share of that of the tensor: what training does in a step is larger. */
const SHARE = 1e-3;

/**
 * Uniform noise for each tensor, of a thousandth of its standard deviation; tensors whose values are all equal stay.
 * @param random so many random bytes
 * @throws model-invalid when nothing would change
 */
export function perturb(
  { tensors, values }: ModelWeights,
  random: (bytes: number) => Uint8Array,
): ModelWeights {
  const moved = values.slice();
  for (const { offset, length } of tensors) {
    const width = SHARE * deviation(values.subarray(offset, offset + length)) * Math.sqrt(12);
    const noise = new Uint32Array(random(4 * length).slice().buffer);
    for (let i = 0; i < length; i++) moved[offset + i]! += (noise[i]! / 2 ** 32 - 0.5) * width;
  }
  if (moved.some((value, i) => value !== values[i])) return { tensors, values: moved };
  throw new TributaryError('model-invalid', 'All values of each tensor of this model are equal.', {
    remedy: 'Start without --weights: a new model comes from the seed of the plan.',
  });
}

function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
