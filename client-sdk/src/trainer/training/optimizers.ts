import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import type { Plan } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';
import { adamStep } from '../kernels/adam.ts';
import { descend } from '../kernels/descend.ts';
import type { LayerVariable } from '../model/weights.ts';

/** State of one round: a fresh one for each task, because moments do not travel with the model. */
export interface LocalOptimizer {
  /** `gradients` by variable name. Call inside a tidy. */
  apply(gradients: NamedTensorMap): void;
  dispose(): void;
}

export function createOptimizer(
  engine: Engine,
  spec: Plan['training']['optimizer'],
  trained: readonly LayerVariable[],
): LocalOptimizer {
  switch (spec.name) {
    case 'sgd':
      return sgd(engine, spec.learningRate, trained);
    case 'adam':
      return adam(engine, spec, trained);
  }
}

function sgd({ name, tf }: Engine, rate: number, trained: readonly LayerVariable[]): LocalOptimizer {
  const descended = (from: Tensor, gradient: Tensor): Tensor =>
    name === 'wasm'
      ? (tf.engine().runKernel(descend.name, { from, gradient }, { rate }) as Tensor)
      : tf.sub(from, tf.mul(gradient, rate));
  return {
    apply(gradients) {
      for (const variable of trained) {
        const gradient = gradients[variable.name];
        if (gradient) variable.write(descended(variable.read(), gradient));
      }
    },
    dispose: () => {},
  };
}

/** Kingma and Ba 2015, algorithm 1. */
function adam(
  { name, tf }: Engine,
  spec: Extract<Plan['training']['optimizer'], { name: 'adam' }>,
  trained: readonly LayerVariable[],
): LocalOptimizer {
  const { learningRate, beta1, beta2, epsilon } = spec;
  const moments = new Map<string, readonly [Tensor, Tensor]>();
  let steps = 0;
  return {
    apply(gradients) {
      steps += 1;
      const size = learningRate / (1 - beta1 ** steps);
      const wide = 1 / Math.sqrt(1 - beta2 ** steps);
      for (const variable of trained) {
        const gradient = gradients[variable.name];
        if (!gradient) continue;
        const from = variable.read();
        const [first, second] = moments.get(variable.name) ?? [tf.zerosLike(from), tf.zerosLike(from)];
        const inputs = { from, gradient, first, second };
        const rates = { beta1, beta2, epsilon, size, wide };
        const [to, m, v] =
          name === 'wasm'
            ? (tf.engine().runKernel(adamStep.name, inputs, rates) as unknown as AdamResult)
            : plainAdam(tf, inputs, rates);
        moments.set(variable.name, [tf.keep(m), tf.keep(v)]);
        tf.dispose([first, second]);
        variable.write(to);
      }
    },
    dispose: () => tf.dispose([...moments.values()].flat()),
  };
}

/** New weights and moments. */
type AdamResult = [Tensor, Tensor, Tensor];

/** What the kernel does on wasm: see kernels/adam.ts. */
function plainAdam(
  tf: Engine['tf'],
  { from, gradient, first, second }: Readonly<Record<'from' | 'gradient' | 'first' | 'second', Tensor>>,
  {
    beta1,
    beta2,
    size,
    wide,
    epsilon,
  }: Readonly<Record<'beta1' | 'beta2' | 'size' | 'wide' | 'epsilon', number>>,
): AdamResult {
  const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1));
  const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const change = tf.div(tf.mul(m, size), tf.add(tf.mul(tf.sqrt(v), wide), epsilon));
  return [tf.sub(from, change), m, v];
}
