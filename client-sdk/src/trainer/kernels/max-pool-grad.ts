import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, heapOf, type TrainingKernel } from './kernel.ts';
import { trainWasmOf } from './train-wasm.ts';
import { windowsOf } from './windows.ts';

/**
 * The backend's own sends the gradient of a window whose values are all negative to index 0. Here it goes to the first
 * value that equals the window's maximum, as in TensorFlow.
 */
export const maxPoolGrad: TrainingKernel = {
  name: 'MaxPoolGrad',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { dy, input, output } = inputs as { dy: TensorInfo; input: TensorInfo; output: TensorInfo };
      const w = windowsOf(input.shape, dy.shape, attrs.filterSize as number | number[], attrs);
      const channels = input.shape[3]!;
      const out = backend.makeOutput(input.shape, 'float32');
      heapOf(backend, out).fill(0);
      const wasm = trainWasmOf(backend);
      const [x, y, slope, dx] = addressesOf(backend, input, output, dy, out);
      const [step, skip] = [4 * channels, 4 * channels * w.inWidth];
      let at = 0;
      for (let image = 0; image < w.batch; image += 1)
        for (let row = 0; row < w.outHeight; row += 1) {
          const up = row * w.strideHeight - w.top;
          const [top, bottom] = [Math.max(0, up), Math.min(w.inHeight, up + w.filterHeight)];
          for (let column = 0; column < w.outWidth; column += 1, at += step) {
            const aside = column * w.strideWidth - w.left;
            const [left, right] = [Math.max(0, aside), Math.min(w.inWidth, aside + w.filterWidth)];
            const first = x + (image * w.inHeight + top) * skip + left * step;
            wasm.poolGradient(
              first,
              y + at,
              slope + at,
              dx - x,
              bottom - top,
              right - left,
              skip,
              step,
              channels,
            );
          }
        }
      return out;
    };
  },
};
