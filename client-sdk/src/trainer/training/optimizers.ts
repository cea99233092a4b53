import type { NamedTensorMap, Tensor } from '@tensorflow/tfjs-core';
import type { Plan } from '@tributary/protocol';
import type { Engine } from '../engine/engine.ts';
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
  { tf }: Engine,
  spec: Extract<Plan['training']['optimizer'], { name: 'adam' }>,
  trained: readonly LayerVariable[],
): LocalOptimizer {
  const { learningRate, beta1, beta2, epsilon } = spec;
  const first = new Map<string, Tensor>();
  const second = new Map<string, Tensor>();
  const blend = (map: Map<string, Tensor>, name: string, beta: number, value: Tensor): Tensor => {
    const old = map.get(name);
    const fresh = tf.mul(value, 1 - beta);
    const next = tf.keep(old ? tf.add(tf.mul(old, beta), fresh) : fresh);
    old?.dispose();
    map.set(name, next);
    return next;
  };
  let steps = 0;
  return {
    apply(gradients) {
      steps += 1;
      const size = learningRate / (1 - beta1 ** steps);
      const spread = 1 / Math.sqrt(1 - beta2 ** steps);
      for (const variable of trained) {
        const gradient = gradients[variable.name];
        if (!gradient) continue;
        const m = blend(first, variable.name, beta1, gradient);
        const v = blend(second, variable.name, beta2, tf.square(gradient));
        const change = tf.div(tf.mul(m, size), tf.add(tf.mul(tf.sqrt(v), spread), epsilon));
        variable.write(tf.sub(variable.read(), change));
      }
    },
    dispose() {
      for (const moment of [...first.values(), ...second.values()]) moment.dispose();
    },
  };
}
