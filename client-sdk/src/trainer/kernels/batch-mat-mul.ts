import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { run, type TrainingKernel } from './kernel.ts';

/**
 * The backend multiplies transposed operands with a scalar loop, and both gradients of every dense layer have one.
 * Transposing first and taking the packed path is several times faster.
 */
export const batchMatMul: TrainingKernel = {
  name: 'BatchMatMul',
  build(stock) {
    const multiply = stock('BatchMatMul');
    const transpose = stock('Transpose');
    return ({ inputs, attrs, backend }) => {
      const a = attrs.transposeA ? swapLastTwo(transpose, backend, inputs.a!) : inputs.a!;
      const b = attrs.transposeB ? swapLastTwo(transpose, backend, inputs.b!) : inputs.b!;
      const product = run(multiply, backend, { a, b }, { transposeA: false, transposeB: false });
      if (a !== inputs.a) backend.disposeData(a.dataId);
      if (b !== inputs.b) backend.disposeData(b.dataId);
      return product;
    };
  },
};

function swapLastTwo(transpose: KernelFunc, backend: BackendWasm, x: TensorInfo): TensorInfo {
  const rank = x.shape.length;
  const perm = x.shape.map((_, axis) => (axis < rank - 2 ? axis : axis === rank - 1 ? rank - 2 : rank - 1));
  return run(transpose, backend, { x }, { perm });
}
