/** What an engine is to the code that trains with it. */
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import type { EngineName } from './names.ts';

export interface EngineParts {
  readonly tf: typeof Core;
  readonly layers: typeof Layers;
}

export interface Engine extends EngineParts {
  /** What partners are shown, and rounds record. */
  readonly name: EngineName;
  /** Why the better engines of the ladder were not taken, in words for the node's owner. */
  readonly passedOver: readonly string[];
}
