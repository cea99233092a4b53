import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { batchMatMul } from './batch-mat-mul.ts';
import { run, type TrainingKernel, type WasmKernel } from './kernel.ts';

/**
 * Einstein summation over one or two tensors, which the backend lacks: axes that only one tensor has and the result
 * lacks are summed, the rest is a transposition to [shared..., own..., contracted...] and one batched matrix product.
 * The equation has no "...", no axis twice in one term, and an arrow, as in tfjs.
 */
export const einsum: TrainingKernel = {
  name: 'Einsum',
  build(stock) {
    const [transpose, reduce] = [stock('Transpose'), stock('Sum')];
    const multiply = batchMatMul.build(stock);
    return ({ inputs, attrs, backend }) => {
      const operands = Object.values(inputs);
      const { terms, result } = parse(attrs.equation as string, operands);
      const kept = (term: number) => [...terms[term]!].filter((axis) => isKept(axis, term, terms, result));
      const sums = operands.map((x, term) => sumAxes(reduce, backend, x, terms[term]!, kept(term)));
      if (sums.length === 1) return give(transpose, backend, sums[0]!, kept(0), result);
      const [left, right] = [kept(0), kept(1)];
      const shared = left.filter((axis) => right.includes(axis) && result.includes(axis));
      const contracted = left.filter((axis) => right.includes(axis) && !result.includes(axis));
      const ownLeft = left.filter((axis) => !right.includes(axis));
      const ownRight = right.filter((axis) => !left.includes(axis));
      const a = give(transpose, backend, sums[0]!, left, [...shared, ...ownLeft, ...contracted]);
      const b = give(transpose, backend, sums[1]!, right, [...shared, ...contracted, ...ownRight]);
      const sizes = sizesOf(terms, operands);
      const product = multiplyAs(multiply, backend, a, b, [shared, ownLeft, contracted, ownRight].map(sizes));
      const axes = [...shared, ...ownLeft, ...ownRight];
      return give(transpose, backend, { ...product, shape: axes.map((axis) => sizes([axis])) }, axes, result);
    };
  },
};

function parse(equation: string, operands: readonly TensorInfo[]): { terms: string[]; result: string } {
  const [inputs, result, ...more] = equation.replace(/\s/g, '').split('->');
  const terms = inputs!.split(',');
  const readable = [...terms, result ?? '.'].every(
    (term) => /^[a-zA-Z]*$/.test(term) && new Set(term).size === term.length,
  );
  if (!readable || more.length > 0 || terms.length !== operands.length || terms.length > 2)
    throw new Error(`einsum cannot read "${equation}" for ${operands.length} tensors.`);
  for (const [index, term] of terms.entries())
    if (term.length !== operands[index]!.shape.length)
      throw new Error(`einsum "${equation}": "${term}" does not fit the shape [${operands[index]!.shape}].`);
  const sizes = new Map<string, number>();
  for (const [index, term] of terms.entries())
    for (const [at, axis] of [...term].entries()) {
      const size = operands[index]!.shape[at]!;
      if ((sizes.get(axis) ?? size) !== size)
        throw new Error(`einsum "${equation}": axis ${axis} is ${sizes.get(axis)} and ${size}.`);
      sizes.set(axis, size);
    }
  for (const axis of result!)
    if (!sizes.has(axis)) throw new Error(`einsum "${equation}": no tensor has axis ${axis}.`);
  return { terms, result: result! };
}

function isKept(axis: string, term: number, terms: readonly string[], result: string): boolean {
  return result.includes(axis) || terms.some((other, index) => index !== term && other.includes(axis));
}

/** The number of values that a set of axes spans. */
function sizesOf(terms: readonly string[], operands: readonly TensorInfo[]) {
  const sizeOf = (axis: string): number => {
    const term = terms.findIndex((candidate) => candidate.includes(axis));
    return operands[term]!.shape[terms[term]!.indexOf(axis)]!;
  };
  return (axes: readonly string[]) => axes.reduce((product, axis) => product * sizeOf(axis), 1);
}

/** A new reference, whether or not there was anything to sum. */
function sumAxes(
  reduce: KernelFunc,
  backend: BackendWasm,
  x: TensorInfo,
  term: string,
  kept: string[],
): TensorInfo {
  const axis = [...term].flatMap((name, index) => (kept.includes(name) ? [] : [index]));
  if (axis.length > 0) return run(reduce, backend, { x }, { axis, keepDims: false });
  backend.incRef(x.dataId);
  return { ...x };
}

/** Brings the axes into the wanted order and lets go of `x`. */
function give(
  transpose: KernelFunc,
  backend: BackendWasm,
  x: TensorInfo,
  axes: readonly string[],
  wanted: Iterable<string>,
): TensorInfo {
  const perm = [...wanted].map((axis) => axes.indexOf(axis));
  if (perm.every((from, to) => from === to)) return x;
  const out = run(transpose, backend, { x }, { perm });
  backend.disposeData(x.dataId);
  return out;
}

/** [batch, m, k] x [batch, k, n]; lets go of both. */
function multiplyAs(
  multiply: WasmKernel,
  backend: BackendWasm,
  a: TensorInfo,
  b: TensorInfo,
  [batch, m, k, n]: number[],
): TensorInfo {
  const inputs = { a: { ...a, shape: [batch!, m!, k!] }, b: { ...b, shape: [batch!, k!, n!] } };
  const out = multiply({ inputs, attrs: { transposeA: false, transposeB: false }, backend }) as TensorInfo;
  backend.disposeData(a.dataId);
  backend.disposeData(b.dataId);
  return out;
}
