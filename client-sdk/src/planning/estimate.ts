/** What a plan will cost a partner: work, time, memory. Arithmetic on the built model, not a measurement. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type ModelWeights, type Plan, SPEED_CLASSES, type SpeedClass } from '@tributary/protocol';
import { rowShape } from '../trainer/model/topology-checks.ts';
import { type LayerCost, layerCosts } from './layer-costs.ts';
import { type Traffic, trafficOf } from './traffic.ts';

export interface Estimate {
  /** Rows of one partner that time and memory are for. */
  readonly rows: number;
  readonly layers: readonly LayerCost[];
  readonly parameters: number;
  /** For one example forwards. */
  readonly flops: number;
  /** Floating-point operations of one partner in one round. */
  readonly work: number;
  /** Batches of one partner in one round. */
  readonly steps: number;
  readonly seconds: Readonly<Record<SpeedClass, number>>;
  /** Bytes beside the program itself. */
  readonly memory: {
    readonly weights: number;
    readonly batch: number;
    readonly rows: number;
    readonly all: number;
  };
  readonly traffic: Traffic;
}

/** Backwards costs about twice as much as forwards: gradients of the inputs, and of the weights. */
const TRAINING = 3;
const EVALUATION_ROWS = 1000;

/**
 * Milliseconds beside the arithmetic: for one step, and for one step of time in a recurrent layer, which is a dozen small
 * operations forwards and backwards. Measured on wasm, a medium engine; the others in proportion.
 */
const OVERHEAD: Readonly<Record<SpeedClass, { readonly step: number; readonly timeStep: number }>> = {
  slow: { step: 4, timeStep: 2 },
  medium: { step: 1, timeStep: 0.7 },
  fast: { step: 0.7, timeStep: 0.4 },
};

export function estimate(plan: Plan, model: LayersModel, weights: ModelWeights, rows: number): Estimate {
  const layers = layerCosts(model);
  const flops = layers.reduce((sum, layer) => sum + layer.flops, 0);
  const held = plan.holdout === 0 ? 0 : Math.max(1, Math.floor(rows * plan.holdout));
  const work = flops * (TRAINING * (rows - held) * plan.training.epochs + held);
  const steps = plan.training.epochs * Math.ceil((rows - held) / plan.training.batchSize);
  const timeSteps = layers.reduce((sum, layer) => sum + layer.timeSteps, 0);
  const time = (speed: SpeedClass) =>
    work / (SPEED_CLASSES[speed].gflops * 1e9) +
    (steps / 1000) * (OVERHEAD[speed].step + timeSteps * OVERHEAD[speed].timeStep);
  return {
    rows,
    layers,
    parameters: weights.values.length,
    flops,
    work,
    steps,
    seconds: { slow: time('slow'), medium: time('medium'), fast: time('fast') },
    memory: memoryOf(plan, layers, weights, rows),
    traffic: trafficOf(plan, weights),
  };
}

function memoryOf(plan: Plan, layers: readonly LayerCost[], weights: ModelWeights, rows: number) {
  const { batchSize, optimizer } = plan.training;
  const product = (sizes: readonly number[]) => sizes.reduce((whole, size) => whole * size, 1);
  const row = product(rowShape(plan.features));
  const outputs = layers.reduce((sum, { output }) => sum + product(output), row);
  // Received, in the engine, their gradients, the result, the masked vector; Adam keeps two means of each.
  const copies = 5 + (optimizer.name === 'adam' ? 2 : 0);
  const training = 2 * outputs * Math.min(batchSize, rows);
  const largest = Math.max(row, ...layers.map(({ output }) => product(output)));
  const evaluation = plan.holdout === 0 ? 0 : 2 * largest * Math.min(EVALUATION_ROWS, rows * plan.holdout);
  const parts = {
    weights: 4 * copies * weights.values.length,
    batch: Math.ceil(4 * Math.max(training, evaluation)),
    rows: 4 * rows * (row + 1),
  };
  return { ...parts, all: parts.weights + parts.batch + parts.rows };
}

/** L2 norm of the weights that train: what an update is measured against. */
export function initialNorm(model: LayersModel): number {
  let squares = 0;
  for (const weight of model.trainableWeights)
    for (const value of weight.read().dataSync() as Float32Array) squares += value * value;
  return Math.sqrt(squares);
}
