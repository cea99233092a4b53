import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, heapOf, run, type TrainingKernel } from './kernel.ts';
import { trainWasmOf } from './train-wasm.ts';

/**
 * Sums over leading axes are the gradient of every bias. The backend transposes the whole tensor first; here it is a
 * product with a row of ones.
 */
export const sum: TrainingKernel = {
  name: 'Sum',
  build(stock) {
    const reduce = stock('Sum');
    return ({ inputs, attrs, backend }) => {
      const { x } = inputs as { x: TensorInfo };
      // None named means all of them.
      const named = [attrs.axis ?? x.shape.map((_, axis) => axis)].flat() as number[];
      const axes = named.map((axis) => (axis < 0 ? axis + x.shape.length : axis));
      const leading = new Set(axes).size === axes.length && Math.max(...axes) === axes.length - 1;
      if (!leading || axes.length === x.shape.length || x.dtype !== 'float32')
        return run(reduce, backend, { x }, attrs);
      const size = (shape: number[]) => shape.reduce((product, length) => product * length, 1);
      const [outer, inner] = [x.shape.slice(0, axes.length), x.shape.slice(axes.length)];
      const out = backend.makeOutput(attrs.keepDims ? [...outer.map(() => 1), ...inner] : inner, 'float32');
      const one = backend.makeOutput([1], 'float32');
      heapOf(backend, one).fill(1);
      const [ones, from, to] = addressesOf(backend, one, x, out);
      const width = size(inner);
      // Step 0 along the row of ones: one value is enough.
      trainWasmOf(backend).product(ones, 0, 0, from, 4 * width, to, 4 * width, size(outer), width, 0, 1);
      backend.disposeData(one.dataId);
      return out;
    };
  },
};
