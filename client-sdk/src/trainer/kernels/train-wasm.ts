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
  /** `count` times: out[i] += a[i] * b[i] for n values, then each pointer moves on by its step. */
  spread(
    out: number,
    outStep: number,
    a: number,
    aStep: number,
    b: number,
    bStep: number,
    n: number,
    count: number,
  ): void;
  /**
   * One window of a max pooling over n channels: dx += dy where x first equals its maximum y. `apart` is dx - x, `step`
   * leads to the next column of the window and `skip` to its next row.
   */
  poolGradient(
    x: number,
    y: number,
    dy: number,
    apart: number,
    rows: number,
    columns: number,
    skip: number,
    step: number,
    n: number,
  ): void;
  /** m2 = beta1 m + rest1 g, v2 = beta2 v + rest2 g^2, w2 = w - size m2 / (wide sqrt(v2) + epsilon) */
  adam(
    w: number,
    g: number,
    m: number,
    v: number,
    w2: number,
    m2: number,
    v2: number,
    count: number,
    beta1: number,
    rest1: number,
    beta2: number,
    rest2: number,
    size: number,
    wide: number,
    epsilon: number,
  ): void;
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
  readonly Memory: new (pages: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}

export const { WebAssembly } = globalThis as unknown as { WebAssembly: WebAssemblyHost };
const PAGE = 65_536;
const instances = new WeakMap<BackendWasm, TrainWasm>();
let compiled: object | undefined;

function on(memory: object): TrainWasm {
  compiled ??= new WebAssembly.Module(Buffer.from(TRAIN_WASM, 'base64'));
  return new WebAssembly.Instance(compiled, { tfjs: { memory } }).exports as TrainWasm;
}

/** The kernels on the memory of tfjs. */
export function trainWasmOf(backend: BackendWasm): TrainWasm {
  const found = instances.get(backend) ?? on(emscriptenOf(backend).asm.memory);
  instances.set(backend, found);
  return found;
}

/** The kernels on a memory of their own, zeroed. */
export function instantiate(bytes: number): { readonly wasm: TrainWasm; readonly buffer: ArrayBuffer } {
  const memory = new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(bytes / PAGE)) });
  return { wasm: on(memory), buffer: memory.buffer };
}

/** Rows of the second operand that are used up before the next are read: they should stay in the level-1 cache. */
const DEPTH = 32;

/** C[m x n] = (C if `more`) + A[m x k] B[k x n], all contiguous, walking B from its first row to its last. */
export function multiplyByDepth(
  wasm: TrainWasm,
  a: number,
  b: number,
  c: number,
  m: number,
  k: number,
  n: number,
  more: boolean,
): void {
  for (let done = 0; done < k; done += DEPTH) {
    const add = more || done > 0 ? 1 : 0;
    const depth = Math.min(DEPTH, k - done);
    wasm.product(a + 4 * done, 4 * k, 4, b + 4 * done * n, 4 * n, c, 4 * n, depth, n, add, m);
  }
}

/** Where a tensor's values start. Valid until the tensor is disposed. */
export function addressOf(backend: BackendWasm, dataId: DataId): number {
  return backend.getMemoryOffset(dataId);
}
