/** Our own SIMD code on the memory of the wasm backend: see client-sdk/scripts/train-wat.js. */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { DataId } from '@tensorflow/tfjs-core';
import { TRAIN_WASM } from './train-wasm.generated.ts';

/** Pointers and strides (rsa, csa, ld*) in bytes, sizes (m, k, n) in float32 values. Matrices are row-major. */
export interface TrainWasm {
  /** C[m x n] = A[m x k] B[k x n], or += where `more` is 1. A(r, p) lies at a + r * rsa + p * csa. */
  product(
    a: number,
    rsa: number,
    csa: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
    k: number,
    n: number,
    more: 0 | 1,
    m: number,
  ): void;
  /** C[m x n] = A[m x k] B[n x k]^T */
  dots(
    a: number,
    lda: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
    k: number,
    n: number,
    m: number,
  ): void;
  /** to = from - rate * gradient */
  descend(to: number, from: number, gradient: number, rate: number, count: number): void;
}

/** The parts of the Emscripten module that tfjs does not type. */
export interface EmscriptenModule {
  _malloc(bytes: number): number;
  _free(address: number): void;
  readonly asm: { readonly memory: { readonly buffer: ArrayBuffer } };
}

export function emscriptenOf(backend: BackendWasm): EmscriptenModule {
  return backend.wasm as unknown as EmscriptenModule;
}

/** The part of WebAssembly's JavaScript interface that is used here: the compiler knows it in browsers only. */
interface WebAssemblyHost {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyHost };
const instances = new WeakMap<BackendWasm, TrainWasm>();

export function trainWasmOf(backend: BackendWasm): TrainWasm {
  const found = instances.get(backend);
  if (found) return found;
  const module = new WebAssembly.Module(Buffer.from(TRAIN_WASM, 'base64'));
  const { memory } = emscriptenOf(backend).asm;
  const made = new WebAssembly.Instance(module, { tfjs: { memory } }).exports as TrainWasm;
  instances.set(backend, made);
  return made;
}

/** Where a tensor's values start. Valid until the tensor is disposed. */
export function addressOf(backend: BackendWasm, dataId: DataId): number {
  return backend.getMemoryOffset(dataId);
}
