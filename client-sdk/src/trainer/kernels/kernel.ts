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
  inputs: Record<string, TensorInfo>,
  attrs: object,
): TensorInfo {
  return kernel({ inputs, backend, attrs: { ...attrs } }) as TensorInfo;
}
