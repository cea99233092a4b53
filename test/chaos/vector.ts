/** The quantised update of one node, without masks, by the protocol's own ring; written down before it is masked. */
import { type Plan, scalarNames, scalarScale, weightCapOf } from '@tributary/protocol';
import {
  clipToNorm,
  encodeScalar,
  gridOf,
  layoutOf,
  quantise,
  writeSentinels,
} from '@tributary/protocol/ring';

export interface LocalUpdate {
  readonly base: Float32Array;
  readonly values: Float32Array;
  readonly samples: number;
  readonly loss: number;
  readonly holdout: { readonly count: number; readonly loss: number };
}

/** @param members |U2| */
export function quantised(plan: Plan, update: LocalUpdate, members: number): Uint32Array {
  const { base, values, samples, loss, holdout } = update;
  const { clip, coordinateBound = clip } = plan.aggregation;
  const delta = values.map((value, i) => value - base[i]!);
  const { clipped } = clipToNorm(delta, clip);
  const names = scalarNames(plan);
  const layout = layoutOf(delta.length, names.length);
  const words = new Uint32Array(layout.length);
  quantise(delta, samples / weightCapOf(plan), gridOf(members, coordinateBound), layout, words);
  const scalars: Record<string, number> = {
    weight: samples,
    trainingLoss: loss * samples,
    clipped: clipped ? 1 : 0,
    holdoutCount: holdout.count,
    holdoutLoss: holdout.loss * holdout.count,
  };
  for (const [slot, name] of names.entries())
    encodeScalar(words, layout, slot, scalars[name]!, scalarScale(name));
  writeSentinels(words);
  return words;
}
