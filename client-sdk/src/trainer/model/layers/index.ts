/** Layers of our own, as plans name them. */
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import { momentsLayer } from './moments.ts';
import { positionalEmbedding } from './positional-embedding.ts';
import { transformerEncoder } from './transformer-encoder.ts';

export function registerLayers(tf: typeof Core, layers: typeof Layers): void {
  momentsLayer(tf, layers);
  positionalEmbedding(tf, layers);
  transformerEncoder(tf, layers);
}
