/** Loads, tests and times one engine in a process of its own: a native addon that crashes takes only this one along. */
import { asTributaryError } from '@tributary/protocol';
import { loadEngine } from '../trainer/engine/engine.ts';
import type { EngineName } from '../trainer/engine/names.ts';
import { silenceTensorFlow } from '../trainer/engine/native.ts';
import { measureGflops, speedClassOf } from '../trainer/engine/speed.ts';
import type { ProbeReply } from './engines.ts';

async function probe(name: EngineName): Promise<ProbeReply> {
  try {
    const engine = await loadEngine(name);
    return { works: true, speed: speedClassOf(measureGflops(engine)) };
  } catch (thrown) {
    const { message, remedy } = asTributaryError(thrown);
    return { works: false, message, remedy };
  }
}

silenceTensorFlow();
process.send?.(await probe(process.argv[2] as EngineName), () => process.exit(0));
