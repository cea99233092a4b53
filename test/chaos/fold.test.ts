import { type Plan, scalarNames } from '@tributary/protocol';
import { createAccumulator, decodeScalarSum, dequantise, gridOf, layoutOf } from '@tributary/protocol/ring';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectedModel } from './fold.ts';
import { chaosPlan } from './plan.ts';
import { createDice } from './random.ts';
import { quantised } from './vector.ts';

/** Beyond the first sentinel. */
const PARAMETERS = 66_000;
const MEMBERS = 5;

let plan: Plan;
let base: Float32Array;
let vectors: Uint32Array[];

beforeAll(() => {
  plan = chaosPlan(1);
  const { between } = createDice(1);
  base = Float32Array.from({ length: PARAMETERS }, () => between(-1e-3, 1e-3));
  vectors = [300, 700, 1000, 20].map((samples) => {
    const values = base.map((value) => value + between(-0.002, 0.002));
    return quantised(plan, { base, values, samples, loss: 1, holdout: { count: 3, loss: 2 } }, MEMBERS);
  });
});

/** The same by the ring of the programs under test. */
function byTheRing(): Float32Array {
  const layout = layoutOf(PARAMETERS, scalarNames(plan).length);
  const { words, add } = createAccumulator(layout.length);
  for (const vector of vectors) add(new Uint8Array(vector.buffer), 0);
  const weight = decodeScalarSum(words, layout, 0, vectors.length, 1);
  const mean = new Float32Array(PARAMETERS);
  const { coordinateBound, clip, weightCap } = plan.aggregation;
  dequantise(words, gridOf(MEMBERS, coordinateBound ?? clip), layout, weight / weightCap, mean);
  return base.map((value, i) => value + mean[i]!);
}

describe('The fold that chaos compares with', () => {
  it('comes to the same bits as the ring, by arithmetic of its own', () => {
    const { values, weight } = expectedModel(plan, base, vectors, MEMBERS);
    expect(weight).toBe(2020);
    expect(Buffer.from(values.buffer).equals(Buffer.from(byTheRing().buffer))).toBe(true);
  });

  it('comes to others when an update is missing, counts twice, or differs in one step', () => {
    const right = Buffer.from(byTheRing().buffer);
    const changed = vectors.with(1, vectors[1]!.slice());
    changed[1]![70] = changed[1]![70]! + 1;
    for (const others of [vectors.slice(1), [...vectors, vectors[0]!], changed]) {
      const { values } = expectedModel(plan, base, others, MEMBERS);
      expect(Buffer.from(values.buffer).equals(right)).toBe(false);
    }
  });

  it('refuses vectors whose sentinels do not count them', () => {
    const broken = vectors.with(0, vectors[0]!.slice());
    broken[0]![65_536] = 2;
    expect(() => expectedModel(plan, base, broken, MEMBERS)).toThrow('sentinel 1');
  });
});
