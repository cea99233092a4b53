/** A plan's model inside the training thread: kept between rounds, its weights replaced by each task. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type ModelWeights, type Plan, TributaryError } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';
import { type DenseLayer, denseStackOf } from '../training/dense-stack.ts';
import { type Head, headOf } from './heads.ts';
import { buildLogitModel } from './topology.ts';
import {
  allFinite,
  arrange,
  type LayerVariable,
  type NamedWeight,
  namedWeights,
  writeWeights,
} from './weights.ts';

export interface LocalModel {
  readonly inputShape: readonly number[];
  readonly units: number;
  readonly trained: readonly LayerVariable[];
  readonly head: Head;
  /** Where the model is nothing but dense layers: it can train the short way. */
  readonly stack: readonly DenseLayer[] | undefined;
  /** Outputs before the last activation. Inputs are batched. */
  forward(inputs: Tensor, training: boolean): Tensor;
  /** The plan's l1 and l2 and the layers' own regularisers; undefined when there are none. Taped. */
  penalty(): Tensor | undefined;
  load(weights: ModelWeights): void;
  /** All weights in the order of the last `load`. */
  values(): Float32Array;
  dispose(): void;
}

/** Load weights before anything else. @throws TributaryError plan-invalid */
export async function createLocalModel(engine: Engine, plan: Plan): Promise<LocalModel> {
  const model = await buildLogitModel(engine, plan);
  const weights = namedWeights(model);
  let arranged: readonly NamedWeight[] = weights;
  return {
    inputShape: model.inputs[0]!.shape.slice(1) as number[],
    units: model.outputs[0]!.shape[1]!,
    trained: model.trainableWeights,
    head: headOf(plan),
    stack: denseStackOf(model),
    forward: (inputs, training) => model.apply(inputs, { training }) as Tensor,
    penalty: () => penaltyOf(engine, model, weights, plan.training),
    load(incoming) {
      if (!allFinite(incoming.values))
        throw new TributaryError('model-invalid', 'A weight of the incoming model is not finite.');
      arranged = arrange(weights, incoming.tensors);
      writeWeights(engine, arranged, incoming.tensors, incoming.values);
    },
    values() {
      const parts = arranged.map(({ variable }) => variable.read().dataSync() as Float32Array);
      const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
      let offset = 0;
      for (const part of parts) {
        all.set(part, offset);
        offset += part.length;
      }
      return all;
    },
    dispose: () => void model.dispose(),
  };
}

/** l1 * sum|w| + l2 * sum w^2 over kernels, and whatever the topology's own regularisers add. */
function penaltyOf(
  { tf }: Engine,
  model: LayersModel,
  weights: readonly NamedWeight[],
  { l1, l2 }: Plan['training'],
): Tensor | undefined {
  const terms: Tensor[] = model.calculateLosses();
  if (l1 > 0 || l2 > 0)
    for (const { name, variable } of weights) {
      if (!variable.trainable || !name.endsWith('kernel')) continue;
      const kernel = variable.read();
      if (l1 > 0) terms.push(tf.mul(tf.sum(tf.abs(kernel)), l1));
      if (l2 > 0) terms.push(tf.mul(tf.sum(tf.square(kernel)), l2));
    }
  return terms.length > 0 ? tf.addN(terms) : undefined;
}
