import type { TensorInfo } from '@tensorflow/tfjs-core';
import { heapOf, type TrainingKernel } from './kernel.ts';

/** Adds each row of x to the segment that its id names: the gradient of gather, so of embeddings. */
export const unsortedSegmentSum: TrainingKernel = {
  name: 'UnsortedSegmentSum',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { x, segmentIds } = inputs as { x: TensorInfo; segmentIds: TensorInfo };
      const segments = attrs.numSegments as number;
      const inner = x.shape.slice(segmentIds.shape.length);
      const width = inner.reduce((product, size) => product * size, 1);
      const out = backend.makeOutput([segments, ...inner], 'float32');
      const ids = backend.typedArrayFromHeap(segmentIds);
      const [values, sums] = [heapOf(backend, x), heapOf(backend, out)];
      sums.fill(0);
      for (let row = 0; row < ids.length; row += 1) {
        const id = ids[row]!;
        // As TensorFlow defines it: rows of no segment are dropped.
        if (id < 0 || id >= segments) continue;
        for (let column = 0; column < width; column += 1) {
          const at = id * width + column;
          sums[at] = sums[at]! + values[row * width + column]!;
        }
      }
      return out;
    };
  },
};
