/** The engine ladder: what would train here, and what keeps the better one away. */
import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type Finding, failed, fine, type SpeedClass, warning } from '@tributary/protocol';
import type { EngineChoice, EngineName } from '../trainer/engine/names.ts';

export type ProbeReply =
  | { readonly works: true; readonly speed: SpeedClass }
  | { readonly works: false; readonly message: string; readonly remedy: string; readonly crashed?: boolean };

/** Native TensorFlow takes seconds to load from a cold disk. */
export const ENGINE_LIMIT_MS = 20_000;

/** @param choice `engine` of node.yaml */
export async function engineFindings(choice: EngineChoice): Promise<Finding[]> {
  if (choice === 'cpu') return chosen('cpu', await probe('cpu'), true);
  const [native, wasm] = await Promise.all([probe('native'), probe('wasm')]);
  // The node itself would go down with an addon that crashes, where it would only pass over one that does not load.
  const needed = choice === 'native' || (choice === 'auto' && !native.works && native.crashed === true);
  const addon = native.works ? [] : [nativeFinding(native, needed)];
  if (choice === 'native') return native.works ? chosen('native', native, true) : addon;
  if (choice === 'auto' && native.works)
    return [...chosen('native', native, false), ...(wasm.works ? [] : chosen('wasm', wasm, false))];
  return [...chosen('wasm', wasm, choice === 'wasm'), ...addon];
}

function chosen(name: EngineName, reply: ProbeReply, byName: boolean): Finding[] {
  if (!reply.works) return [failed('engine', reply.message, reply.remedy)];
  const message = `${name} trains here${byName ? ', as node.yaml says' : ''}: self-test passed, speed class ${reply.speed}`;
  if (name === 'cpu')
    return [
      warning('engine', `${message}; it is 14 to 1000 times slower than wasm.`, 'Take `engine: auto`.'),
    ];
  return [fine('engine', message)];
}

type Broken = Extract<ProbeReply, { works: false }>;

/** Training goes on without it, so it is a warning at most, unless it was asked for by name. */
function nativeFinding(reply: Broken, wanted: boolean): Finding {
  const report = wanted ? failed : warning;
  const absent = reply.message.startsWith('Native TensorFlow is not installed');
  if (absent && packageFolder() !== undefined)
    return report(
      'native',
      'The package @tensorflow/tfjs-node is there without its addon: npm did not run its install script.',
      'Where npm blocks install scripts, put `"allowScripts": {"@tensorflow/tfjs-node": true}` into package.json, then ' +
        '`npm rebuild @tensorflow/tfjs-node`. Where its download is closed: `npm run native`.',
    );
  if (absent && wanted)
    return failed('native', reply.message, 'Run `npm run native`, or take `engine: auto`.');
  if (absent)
    return fine(
      'native',
      'not installed; wasm does without it; `npm run native` brings it, about twice as fast on convolutional nets',
    );
  return report('native', reply.message, 'Run `npm run native` to install it anew, or take `engine: wasm`.');
}

function packageFolder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json'));
  } catch {
    return undefined;
  }
}

function probe(name: EngineName): Promise<ProbeReply> {
  const script = new URL('./engine-probe.js', import.meta.url);
  const child = fork(script, [name], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], execArgv: [] });
  const timer = setTimeout(() => child.kill('SIGKILL'), ENGINE_LIMIT_MS - 500);
  const broken = (how: string): ProbeReply => ({
    works: false,
    crashed: true,
    message: `The ${name} engine ${how}.`,
    remedy: name === 'native' ? 'Take `engine: wasm` in node.yaml.' : 'Run `npm ci` again.',
  });
  return new Promise<ProbeReply>((resolve) => {
    child.once('message', (reply) => resolve(reply as ProbeReply));
    child.once('error', (error) => resolve(broken(`cannot be started: ${error.message}`)));
    child.once('exit', (code, signal) =>
      resolve(broken(signal ? `crashed its process (${signal})` : `ended its process with code ${code}`)),
    );
  }).finally(() => clearTimeout(timer));
}
