import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { run, type TrainingKernel } from './kernel.ts';
import { addressOf, multiplyByDepth, trainWasmOf } from './train-wasm.ts';

/** Up to this many rows of the result, packing the second operand costs more than it saves. */
const UNPACKED_ROWS = 64;

/**
 * The backend multiplies transposed operands with a scalar loop, and both gradients of every dense layer have one; and
 * its fast path packs the second operand anew for every weight tensor, so at every step. Small results are multiplied
 * in place instead; larger ones are transposed first and take the packed path.
 */
export const batchMatMul: TrainingKernel = {
  name: 'BatchMatMul',
  build(stock) {
    const multiply = stock('BatchMatMul');
    const transpose = stock('Transpose');
    return ({ inputs, attrs, backend }) => {
      const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
      const [transposeA, transposeB] = [Boolean(attrs.transposeA), Boolean(attrs.transposeB)];
      const small = multiplyUnpacked(backend, a, b, transposeA, transposeB);
      if (small) return small;
      const left = transposeA ? swapLastTwo(transpose, backend, a) : a;
      const right = transposeB ? swapLastTwo(transpose, backend, b) : b;
      const product = run(multiply, backend, { a: left, b: right }, { transposeA: false, transposeB: false });
      if (left !== a) backend.disposeData(left.dataId);
      if (right !== b) backend.disposeData(right.dataId);
      return product;
    };
  },
};

/** undefined when the shapes are not for this path. */
function multiplyUnpacked(
  backend: BackendWasm,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): TensorInfo | undefined {
  if (transposeA && transposeB) return undefined;
  if (a.shape.length !== b.shape.length || a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  const outer = a.shape.slice(0, -2);
  if (!outer.every((size, axis) => size === b.shape[axis])) return undefined;
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const n = transposeB ? bRows : bColumns;
  if (Math.min(m, k) > UNPACKED_ROWS || k !== (transposeB ? bColumns : bRows)) return undefined;
  const out = backend.makeOutput([...outer, m, n], 'float32');
  const wasm = trainWasmOf(backend);
  const [from, by, to] = [a, b, out].map(({ dataId }) => addressOf(backend, dataId)) as [
    number,
    number,
    number,
  ];
  const batches = outer.reduce((product, size) => product * size, 1);
  for (let batch = 0; batch < batches; batch += 1) {
    const [left, right, result] = [from + 4 * batch * m * k, by + 4 * batch * k * n, to + 4 * batch * m * n];
    if (transposeB) wasm.dots(left, 4 * k, right, 4 * k, result, 4 * n, k, n, m);
    else if (transposeA) wasm.product(left, 4, 4 * m, right, 4 * n, result, 4 * n, k, n, 0, m);
    else multiplyByDepth(wasm, left, right, result, m, k, n, false);
  }
  return out;
}

function swapLastTwo(transpose: KernelFunc, backend: BackendWasm, x: TensorInfo): TensorInfo {
  const rank = x.shape.length;
  const perm = x.shape.map((_, axis) => (axis < rank - 2 ? axis : axis === rank - 1 ? rank - 2 : rank - 1));
  return run(transpose, backend, { x }, { perm });
}
