/** The last net under the table of layers: a model that loads may still have parts that do not train. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { TributaryError } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';

/**
 * Takes the gradients of two rows of zeros, which every kind of input allows.
 * @throws TributaryError plan-invalid, naming the layer
 */
export function assertTrains({ tf }: Engine, model: LayersModel): void {
  const [input] = model.inputs;
  const trained = model.trainableWeights;
  if (model.inputs.length !== 1 || model.outputs.length !== 1 || trained.length === 0) return;
  let reached = model.name;
  for (const layer of model.layers)
    layer.setCallHook(() => {
      reached = layer.name;
    });
  tf.tidy(() => {
    try {
      const rows = tf.zeros([2, ...input!.shape.slice(1).map((size) => size ?? 1)]);
      const loss = () => tf.sum(model.apply(rows, { training: true }) as never);
      const { grads } = tf.variableGrads(loss as never, trained.map((weight) => weight.read()) as never);
      for (const layer of model.layers)
        for (const { name, originalName } of layer.trainableWeights)
          if (!grads[name]) throw new Error(`${originalName} gets no gradient`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `model layer "${reached}" or one before it does not train: ${reason.replace(/\.$/, '')}.`;
      throw new TributaryError('plan-invalid', message, {
        remedy: 'Take that layer out, or freeze what comes before it with trainable: false.',
      });
    }
  });
}
