/** The wasm engine: tfjs core, layers and the wasm backend, with our training kernels in place of slow or wrong ones. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type * as Core from '@tensorflow/tfjs-core';
import { TributaryError } from '@tributary/protocol';
import { CHECKED_VERSION, type TrainingKernel } from '../kernels/kernel.ts';
import { TRAINING_KERNELS } from '../kernels/table.ts';
import { emscriptenOf, WebAssembly } from '../kernels/train-wasm.ts';
import { installChainedOps } from './chained-ops.ts';
import type { EngineParts } from './port.ts';

/**
 * @param folder of the backend's .wasm files
 * @throws TributaryError training-failed with the reason, when wasm cannot be used
 */
export async function startWasm(folder = ownFolder()): Promise<EngineParts> {
  const tf = await import('@tensorflow/tfjs-core');
  const layers = await import('@tensorflow/tfjs-layers');
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  wasm.setWasmPaths(folder + sep);
  if (wasm.version_wasm !== CHECKED_VERSION)
    throw new TributaryError(
      'training-failed',
      `The training kernels are checked against tfjs ${CHECKED_VERSION}, installed is ${wasm.version_wasm}.`,
    );
  installChainedOps(tf);
  for (const kernel of TRAINING_KERNELS) register(tf, kernel);
  tf.enableProdMode();
  const chosen = await tf.setBackend('wasm').catch(() => false);
  if (!chosen || tf.getBackend() !== 'wasm')
    throw new TributaryError(
      'training-failed',
      `The wasm backend of tfjs did not start: ${await whatIsBroken(folder)}.`,
      { remedy: 'Run `npm ci` again, then `tributary doctor`.' },
    );
  await tf.ready();
  refuseToOverrunMemory(tf.backend() as BackendWasm);
  return { tf, layers };
}

const ownFolder = () => dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));

/** tfjs tells the console why, and its caller nothing. */
async function whatIsBroken(folder: string): Promise<string> {
  for (const name of ['tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm.wasm'])
    try {
      new WebAssembly.Module(await readFile(join(folder, name)));
    } catch (thrown) {
      return `${join(folder, name)}: ${(thrown as Error).message}`;
    }
  return 'its files are in order';
}

/**
 * When memory runs out, malloc returns 0 (or, near 4 GiB, too little), and tfjs would write its tensor over the
 * engine's own data: wrong numbers and no error. The wasm heap ends at 4 GiB.
 */
function refuseToOverrunMemory(backend: BackendWasm): void {
  const wasm = emscriptenOf(backend);
  // Emscripten's malloc replaces itself on its first call.
  wasm._free(wasm._malloc(8));
  const malloc = wasm._malloc;
  wasm._malloc = (bytes) => {
    const address = malloc(bytes) >>> 0;
    if (bytes > 0 && (address === 0 || address + bytes > wasm.asm.memory.buffer.byteLength))
      throw new TributaryError('training-failed', `The wasm engine has no memory for ${bytes} bytes.`);
    return address;
  };
}

/** Must happen before the backend starts: starting it binds the stock kernels to the wasm module. */
function register(tf: typeof Core, kernel: TrainingKernel): void {
  const stock = (name: string) => {
    const config = tf.getKernel(name, 'wasm');
    if (!config) throw new TributaryError('training-failed', `The wasm backend has no kernel ${name}.`);
    return config.kernelFunc;
  };
  const replaced = tf.getKernel(kernel.name, 'wasm');
  const kernelFunc = kernel.build(stock) as unknown as Core.KernelFunc;
  if (replaced) tf.unregisterKernel(kernel.name, 'wasm');
  tf.registerKernel({ ...replaced, kernelName: kernel.name, backendName: 'wasm', kernelFunc });
}
