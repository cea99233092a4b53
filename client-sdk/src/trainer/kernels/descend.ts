import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { TrainingKernel } from './kernel.ts';
import { addressOf, trainWasmOf } from './train-wasm.ts';

/** to = from - rate * gradient in one pass over memory; tfjs needs a product and a difference. Not in tfjs. */
export const descend: TrainingKernel = {
  name: 'TributaryDescend',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { from, gradient } = inputs as { from: TensorInfo; gradient: TensorInfo };
      const to = backend.makeOutput(from.shape, 'float32');
      const count = from.shape.reduce((product, size) => product * size, 1);
      const [target, source, slope] = [to, from, gradient].map(({ dataId }) => addressOf(backend, dataId));
      trainWasmOf(backend).descend(target!, source!, slope!, attrs.rate as number, count);
      return to;
    };
  },
};
