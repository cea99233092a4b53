/** From trained weights to the masked vector that travels (PROTOCOL.md 6.5): clip, quantise, scalars, sentinels, masks. */
import { createHash } from 'node:crypto';
import { type Plan, scalarNames, scalarScale, TributaryError, weightCapOf } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import {
  clipToNorm,
  createAccumulator,
  encodeScalar,
  gridOf,
  layoutOf,
  quantise,
  writeSentinels,
} from '@tributary/protocol/ring';
import type { MaskTerm } from '@tributary/protocol/secagg';
import type { TrainingResult } from '../trainer/port.ts';

export interface MaskJob {
  readonly plan: Plan;
  /** The global model that was trained from; flat. */
  readonly base: Float32Array;
  readonly result: TrainingResult;
  /** |U2|: the grid leaves room for so many. */
  readonly members: number;
  /** Empty in plain mode only. */
  readonly terms: readonly MaskTerm[];
}

export interface MaskedVector {
  /** Little-endian words, as they travel; the only form in which an update leaves this machine. */
  readonly bytes: Uint8Array;
  /** Hex. */
  readonly sha256: string;
}

/**
 * @param job `result.values` is overwritten by the update.
 * @throws not-finite, overflow, training-failed (a trainer that returned what does not fit the model), data-invalid
 */
export function maskUpdate({ plan, base, result, members, terms }: MaskJob): MaskedVector {
  const { values } = result;
  if (values.length !== base.length)
    throw new TributaryError(
      'training-failed',
      `The trainer returned ${values.length} parameters, the model has ${base.length}.`,
    );
  const { clip, coordinateBound = clip } = plan.aggregation;
  const weight = weightOf(plan, result.samples);
  for (let i = 0; i < values.length; i++) values[i]! -= base[i]!;
  const { clipped } = clipToNorm(values, clip);

  const names = scalarNames(plan);
  const layout = layoutOf(values.length, names.length);
  const vector = createAccumulator(layout.length);
  quantise(values, weight / weightCapOf(plan), gridOf(members, coordinateBound), layout, vector.words);
  names.forEach((name, slot) => {
    const value = scalarOf(name, weight, clipped, result);
    encodeScalar(vector.words, layout, slot, value, scalarScale(name));
  });
  writeSentinels(vector.words);
  vector.addKeystreams(terms.map(({ key, sign }) => ({ stream: nodeCrypto.keystream(key), sign })));
  // A copy: the vector's own memory belongs to WebAssembly and cannot be handed to another thread.
  const bytes = vector.bytes.slice();
  vector.words.fill(0);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** How much this partner counts, before the cap. Under `uniform` its size appears nowhere. */
function weightOf(plan: Plan, samples: number): number {
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new TributaryError('data-invalid', `Training used ${samples} rows; at least one is needed.`);
  const weights = {
    exact: samples,
    bucketed: 2 ** Math.floor(Math.log2(samples)),
    uniform: 1,
  };
  return Math.min(weightCapOf(plan), weights[plan.aggregation.weights]);
}

/** Sums, not means: the coordinator divides what it gets from all by the sum of the weights, or of the counts. */
function scalarOf(name: string, weight: number, clipped: boolean, { loss, holdout }: TrainingResult): number {
  switch (name) {
    case 'weight':
      return weight;
    case 'trainingLoss':
      return loss * weight;
    case 'clipped':
      return clipped ? 1 : 0;
    case 'holdoutCount':
      return holdout.count;
    case 'holdoutLoss':
      return holdout.count === 0 ? 0 : holdout.loss * holdout.count;
    default: {
      const metric = holdout.metrics[name.slice('holdout.'.length)];
      return holdout.count === 0 ? 0 : (metric ?? Number.NaN) * holdout.count;
    }
  }
}
