/** What is trained under fire: nothing is learnt, but every update is different, and known to the test. */
import { encodeSafetensors, type Plan, parsePlan } from '@tributary/protocol';

export const NODES = 6;
/** Holds public data, and evaluates in the clear. */
export const REFEREE = 'referee';
const ROUNDS = 3;
/** Crosses a sentinel, so that blocks count too. */
const PARAMETERS = 70_000;
/** Seconds. */
export const PATIENCE = 6;

/** Each run has a plan of its own, so that each is approved anew. */
export function chaosPlan(run: number): Plan {
  return parsePlan({
    name: 'chaos',
    model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
    features: { kind: 'image', height: 1, width: 1, channels: 1, classes: ['a', 'b'] },
    training: { optimizer: { name: 'sgd', learningRate: 0.1 }, loss: 'sparseCategoricalCrossentropy' },
    aggregation: { clip: 10, coordinateBound: 1, weightCap: 1000 },
    cohort: { min: 4 },
    rounds: ROUNDS,
    seed: run,
    timing: { patience: PATIENCE, grace: 0.6, maximum: 20 },
  });
}

/**
 * No two runs start from the same weights: who sent a vector on them would sit out. So small that one step of the grid in
 * one sum changes the bits of a weight.
 */
export function initialModel(run: number): Uint8Array {
  const values = Float32Array.from({ length: PARAMETERS }, (_, i) => 1e-3 * Math.sin(i + run));
  const tensor = { name: 'dense/kernel', shape: [PARAMETERS], offset: 0, length: PARAMETERS };
  return encodeSafetensors({ tensors: [tensor], values });
}
