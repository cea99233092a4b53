/** What a node says of its training engine: name and a coarse class of speed, no more (PROTOCOL.md 4). */
import { type Static, Type } from '@tributary/protocol/typebox';
import { Closed } from './schema.ts';

export type SpeedClass = 'slow' | 'medium' | 'fast';

/**
 * By training throughput of convolutions, in billions of floating-point operations per second: the class begins at
 * `from`; `gflops` is what estimates reckon with. A laptop on wasm is medium, native TensorFlow on it fast.
 */
export const SPEED_CLASSES: {
  readonly [Speed in SpeedClass]: { readonly from: number; readonly gflops: number };
} = {
  slow: { from: 0, gflops: 3 },
  medium: { from: 10, gflops: 40 },
  fast: { from: 100, gflops: 200 },
};

export const EngineReport = Closed({
  /** `native`, `wasm`, `cpu`, or the name of a partner's own trainer. */
  name: Type.String({ pattern: '^[a-z][a-z0-9._:-]{0,47}$' }),
  speed: Type.Enum(Object.keys(SPEED_CLASSES) as SpeedClass[]),
});
export type EngineReport = Static<typeof EngineReport>;
