/** Native TensorFlow through tfjs-node. */
import { TributaryError } from '@tributary/protocol';
import type { EngineParts } from './engine.ts';

export async function loadNative(): Promise<EngineParts> {
  throw new TributaryError('training-failed', 'tfjs-node is not installed.', {
    remedy: 'Run `npm run native`, or train on wasm.',
  });
}
