/** Arithmetic mod 2^32 on updates: clip, quantise, add, mask, sum, dequantise. */
export { type Accumulator, createAccumulator, type Mask } from './accumulator.ts';
export { type Engine, nativeEngine } from './kernel.ts';
export {
  type Block,
  checkSentinels,
  type Layout,
  layoutOf,
  parameterBlocks,
  payloadIndex,
  physicalIndex,
  writeSentinels,
} from './layout.ts';
export { clipToNorm, dequantise, type Grid, gridOf, quantise, sumOfSquares } from './quantise.ts';
export { decodeScalarSum, encodeScalar } from './scalars.ts';
