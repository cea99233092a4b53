import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, type TrainingKernel } from './kernel.ts';
import { trainWasmOf } from './train-wasm.ts';

/**
 * One step of Adam in one pass over memory; tfjs needs eleven. Not in tfjs. Gives the new weights and moments.
 * `size` = rate / (1 - beta1^t), `wide` = 1 / sqrt(1 - beta2^t).
 */
export const adamStep: TrainingKernel = {
  name: 'TributaryAdam',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { from, gradient, first, second } = inputs as Record<string, TensorInfo> & {
        from: TensorInfo;
        gradient: TensorInfo;
        first: TensorInfo;
        second: TensorInfo;
      };
      const { beta1, beta2, size, wide, epsilon } = attrs as Record<string, number> & {
        beta1: number;
        beta2: number;
        size: number;
        wide: number;
        epsilon: number;
      };
      const outputs = [from, first, second].map(({ shape }) => backend.makeOutput(shape, 'float32'));
      const [w, g, m, v] = addressesOf(backend, from, gradient, first, second);
      const [w2, m2, v2] = addressesOf(backend, outputs[0]!, outputs[1]!, outputs[2]!);
      const count = from.shape.reduce((product, length) => product * length, 1);
      const [rest1, rest2] = [1 - beta1, 1 - beta2];
      trainWasmOf(backend).adam(
        w,
        g,
        m,
        v,
        w2,
        m2,
        v2,
        count,
        beta1,
        rest1,
        beta2,
        rest2,
        size,
        wide,
        epsilon,
      );
      return outputs;
    };
  },
};
