/**
 * Native TensorFlow through tfjs-node: where npm's own download installed it, or where `npm run native` did
 * (client-sdk/scripts/native). The addon is context-aware: it loads in several threads, and a thread may be ended in the
 * middle of a step.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import util from 'node:util';
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import { TributaryError } from '@tributary/protocol';

const VERSION = '4.22.0';
const require = createRequire(import.meta.url);

/** @throws TributaryError training-failed with the reason, when it is not there or does not load */
export async function loadNative(): Promise<{ tf: typeof Core; layers: typeof Layers }> {
  const folder = findAddon();
  if (folder === undefined) throw notThere('Native TensorFlow is not installed here');
  replaceUtils();
  silenceTensorFlow();
  // The engine of tfjs is one object in the whole thread: loading registers the backend with it.
  const tf = await import('@tensorflow/tfjs-core');
  const layers = await import('@tensorflow/tfjs-layers');
  // tfjs greets and warns on the console: both engines register the same kernels of the cpu backend.
  tf.enableProdMode();
  try {
    require(folder);
  } catch (error) {
    throw notThere(`Native TensorFlow does not load: ${error instanceof Error ? error.message : error}`);
  }
  if (tf.version_core !== VERSION || tf.findBackend('tensorflow') === null)
    throw notThere(`Native TensorFlow came with another tfjs than ${tf.version_core}`);
  if (!(await tf.setBackend('tensorflow'))) throw notThere('The backend of native TensorFlow did not start');
  await tf.ready();
  return { tf, layers };
}

const notThere = (why: string) =>
  new TributaryError('training-failed', `${why}.`, {
    remedy: 'Run `npm run native` to install it, or train on wasm: `--engine wasm`.',
  });

/** Folder of a tfjs-node that has its addon. Without it, npm left the package but could not run its install script. */
function findAddon(): string | undefined {
  const packages = nodeModules();
  return [packages, join(packages, '.tributary-native/node_modules')]
    .map((at) => join(at, '@tensorflow/tfjs-node'))
    .find((folder) => existsSync(join(folder, 'lib/napi-v8/tfjs_binding.node')));
}

/** That which has the tfjs-core of everybody. */
function nodeModules(): string {
  const core = require.resolve('@tensorflow/tfjs-core/package.json');
  return dirname(dirname(dirname(core)));
}

/** tfjs-node calls two functions that Node 22 warns of and Node 23 dropped. */
function replaceUtils(): void {
  const functions = {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  };
  for (const [name, value] of Object.entries(functions))
    Object.defineProperty(util, name, { value, configurable: true, writable: true });
}

/**
 * Only errors are shown. TensorFlow reads the environment of the process, and a worker thread has only a copy: call
 * this on the main thread before threads start.
 */
export function silenceTensorFlow(): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
}
