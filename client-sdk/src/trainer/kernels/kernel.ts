import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';

/** The only tfjs version whose kernels these replacements were checked against: its internals are not a public API. */
export const CHECKED_VERSION = '4.22.0';

/**
 * A training kernel that the wasm backend lacks or has slow. Inside a kernel call kernels, never tf ops (those
 * would be taped twice), and dispose intermediates through the backend.
 */
export interface TrainingKernel {
  readonly name: string;
  /** `stock(name)` is the backend's own kernel function. */
  build(stock: (name: string) => KernelFunc): WasmKernel;
}

export type WasmKernel = (call: {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: BackendWasm;
}) => TensorInfo | TensorInfo[];

/** Runs a stock kernel that has one output. */
export function run(
  kernel: KernelFunc,
  backend: BackendWasm,
  inputs: Readonly<Record<string, TensorInfo>>,
  attrs: object,
): TensorInfo {
  return kernel({ inputs: { ...inputs }, backend, attrs: { ...attrs } }) as TensorInfo;
}

/** A tensor's values in wasm memory. Goes stale when memory grows: take it after the last allocation. */
export function heapOf(backend: BackendWasm, tensor: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(tensor) as Float32Array;
}

/** Where tensors lie in wasm memory, in bytes. Valid until they are disposed. */
export function addressesOf<T extends readonly TensorInfo[]>(
  backend: BackendWasm,
  ...tensors: T
): { [K in keyof T]: number } {
  return tensors.map(({ dataId }) => backend.getMemoryOffset(dataId)) as { [K in keyof T]: number };
}
