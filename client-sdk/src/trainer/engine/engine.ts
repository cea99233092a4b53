/**
 * What trains: tfjs core and layers on one of its backends. The ladder: native TensorFlow where it is installed, else
 * wasm with our training kernels; the cpu backend, 14 to 1000 times slower with convolutions, only when asked for by name.
 */
import { asTributaryError, TributaryError } from '@tributary/protocol';
import { registerLayers } from '../model/layers/index.ts';
import { startCpu } from './cpu.ts';
import type { EngineChoice, EngineName } from './names.ts';
import { loadNative } from './native.ts';
import type { Engine, EngineParts } from './port.ts';
import { selfTest } from './self-test.ts';
import { startWasm } from './wasm.ts';

const START: { readonly [Name in EngineName]: () => Promise<EngineParts> } = {
  native: loadNative,
  wasm: startWasm,
  cpu: startCpu,
};

const loading = new Map<EngineChoice, Promise<Engine>>();

/**
 * Loads and checks an engine, once per thread. Modules load on first use, so that commands which train nothing start
 * fast. Loading another one in the same thread changes the backend of the first as well: tfjs has one at a time.
 * @throws TributaryError training-failed with the reason: nothing falls to a slower engine than was asked for
 */
export function loadEngine(choice: EngineChoice = 'wasm'): Promise<Engine> {
  const found = loading.get(choice) ?? (choice === 'auto' ? climb() : start(choice, []));
  loading.set(choice, found);
  return found;
}

async function climb(): Promise<Engine> {
  try {
    return await start('native', []);
  } catch (error) {
    const { message } = asTributaryError(error);
    return start('wasm', [`native: ${message}`]);
  }
}

async function start(name: EngineName, passedOver: readonly string[]): Promise<Engine> {
  const { tf, layers } = await START[name]();
  registerLayers(tf, layers);
  const engine: Engine = { name, passedOver, tf, layers };
  const fault = selfTest(engine);
  if (fault !== undefined)
    throw new TributaryError('training-failed', `The ${name} engine fails its self-test: ${fault}.`, {
      remedy: 'Do not train with it. Run `tributary doctor`, or choose another one with --engine.',
    });
  return engine;
}
