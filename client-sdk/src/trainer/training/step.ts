/** One optimiser step on one batch. */
import type { Scalar, Tensor, Variable } from '@tensorflow/tfjs-core';
import type { Plan } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';
import { type BatchSums, emptySums } from '../model/heads.ts';
import type { LocalModel } from '../model/local-model.ts';
import { rowWidth } from './batches.ts';
import { createDenseStep } from './dense-stack.ts';
import { createOptimizer } from './optimizers.ts';
import type { Step } from './step-port.ts';

export function createStep(engine: Engine, model: LocalModel, training: Plan['training']): Step {
  const { optimizer, batchSize, l1, l2 } = training;
  if (optimizer.name !== 'sgd' || l1 > 0 || l2 > 0 || !model.stack)
    return createTapedStep(engine, model, training);
  return createDenseStep(model.stack, model.head, optimizer.learningRate, batchSize, (variable, values) => {
    const value = engine.tf.tensor(values, variable.shape as number[], 'float32');
    variable.write(value);
    value.dispose();
  });
}

/** Any model that tfjs can differentiate. */
export function createTapedStep(engine: Engine, model: LocalModel, training: Plan['training']): Step {
  const { tf } = engine;
  const optimizer = createOptimizer(engine, training.optimizer, model.trained);
  const width = rowWidth(model.inputShape);
  const variables = model.trained.map((variable) => variable.read() as Variable);
  return {
    train: (values, labels) =>
      tf.tidy(() => {
        const rows = values.length / width;
        const inputs = tf.tensor(values, [rows, ...model.inputShape], 'float32');
        const sums = emptySums();
        let penalised = false;
        const { value, grads } = tf.variableGrads(() => {
          const loss = headLoss(engine, model, model.forward(inputs, true), labels, sums);
          const penalty = model.penalty();
          penalised = penalty !== undefined;
          return (penalty ? tf.add(loss, penalty) : loss) as Scalar;
        }, variables);
        optimizer.apply(grads);
        return penalised ? value.dataSync()[0]! : sums.loss / rows;
      }),
    end: () => optimizer.dispose(),
  };
}

/** The head as one taped operation: its gradient is ready when its value is. */
function headLoss(
  { tf }: Engine,
  model: LocalModel,
  outputs: Tensor,
  labels: Float32Array,
  sums: BatchSums,
): Tensor {
  const op = tf.customGrad((...taped) => {
    const logits = taped[0] as Tensor;
    const gradient = new Float32Array(logits.size);
    model.head(logits.dataSync() as Float32Array, labels, model.units, sums, gradient);
    return {
      value: tf.scalar(sums.loss / logits.shape[0]!),
      gradFunc: () => tf.tensor(gradient, logits.shape, 'float32'),
    };
  });
  return op(outputs);
}
