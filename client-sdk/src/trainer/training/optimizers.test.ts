import type { Optimizer, Tensor, Variable } from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import type { EngineName } from '../engine/names.ts';
import type { Engine } from '../engine/port.ts';
import { createOptimizer } from './optimizers.ts';

/** Minimises sum (w - target)^2 * [1, 4, 9, ...] from 0 and returns where it got to. */
async function descendWith(
  steps: number,
  make: 'ours' | 'tfjs',
  name: 'sgd' | 'adam',
  as: EngineName = 'wasm',
) {
  const engine: Engine = { ...(await loadEngine()), name: as };
  const { layers, tf } = engine;
  const before = tf.memory().numTensors;
  const spec = { name, learningRate: 0.01, beta1: 0.8, beta2: 0.99, epsilon: 1e-6 } as const;
  const layer = layers.layers.dense({ units: 7, inputShape: [3], kernelInitializer: 'zeros' });
  const model = layers.sequential({ layers: [layer] });
  const slope = tf.tensor2d(
    Array.from({ length: 21 }, (_, at) => (at + 1) ** 2),
    [3, 7],
  );
  const loss = () => tf.sum(tf.mul(tf.square(tf.sub(layer.weights[0]!.read(), 1)), slope));
  const ours = createOptimizer(engine, spec, model.trainableWeights);
  const reference: Optimizer =
    name === 'sgd' ? tf.train.sgd(spec.learningRate / 50) : tf.train.adam(0.01, 0.8, 0.99, 1e-6);
  const scaled = createOptimizer(
    engine,
    { ...spec, learningRate: spec.learningRate / 50 },
    model.trainableWeights,
  );
  const variables = [layer.weights[0]!.read() as Variable];
  for (let step = 0; step < steps; step += 1)
    tf.tidy(() => {
      const { grads } = tf.variableGrads(loss as never, variables);
      if (make === 'tfjs') reference.applyGradients(grads);
      else (name === 'sgd' ? scaled : ours).apply(grads);
    });
  const reached = (layer.weights[0]!.read() as Tensor).dataSync();
  for (const optimizer of [ours, scaled, reference]) optimizer.dispose();
  slope.dispose();
  model.dispose();
  return { reached, leaked: tf.memory().numTensors - before };
}

test.each([
  ['sgd', 'wasm'],
  ['adam', 'wasm'],
  // The way of the engines that have no kernels of ours.
  ['sgd', 'cpu'],
  ['adam', 'cpu'],
] as const)('%s walks where tfjs walks, and leaves no tensor behind: as on %s', async (name, as) => {
  const ours = await descendWith(30, 'ours', name, as);
  const reference = await descendWith(30, 'tfjs', name);
  for (const [at, value] of reference.reached.entries()) expect(ours.reached[at]).toBeCloseTo(value, 5);
  expect(Math.min(...ours.reached)).toBeGreaterThan(0);
  expect(ours.leaked).toBe(0);
});
