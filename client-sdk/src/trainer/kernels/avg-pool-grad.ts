import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, heapOf, type TrainingKernel } from './kernel.ts';
import { trainWasmOf } from './train-wasm.ts';
import { windowsOf } from './windows.ts';

/**
 * The mean of a window that lies over the border is taken over the values inside the image, but the gradient of tfjs
 * divides by the whole window (the cpu backend's as well).
 */
export const avgPoolGrad: TrainingKernel = {
  name: 'AvgPoolGrad',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { dy, input } = inputs as { dy: TensorInfo; input: TensorInfo };
      const w = windowsOf(input.shape, dy.shape, attrs.filterSize as number | number[], attrs);
      const channels = input.shape[3]!;
      const out = backend.makeOutput(input.shape, 'float32');
      const shares = backend.makeOutput([1 + w.filterHeight * w.filterWidth], 'float32');
      heapOf(backend, out).fill(0);
      const share = heapOf(backend, shares);
      for (let count = 1; count < share.length; count += 1) share[count] = 1 / count;
      const wasm = trainWasmOf(backend);
      const [slope, dx, parts] = addressesOf(backend, dy, out, shares);
      const pixel = 4 * channels;
      let from = slope;
      for (let image = 0; image < w.batch; image += 1)
        for (let row = 0; row < w.outHeight; row += 1) {
          const up = row * w.strideHeight - w.top;
          const [top, bottom] = [Math.max(0, up), Math.min(w.inHeight, up + w.filterHeight)];
          for (let column = 0; column < w.outWidth; column += 1, from += pixel) {
            const aside = column * w.strideWidth - w.left;
            const [left, right] = [Math.max(0, aside), Math.min(w.inWidth, aside + w.filterWidth)];
            const part = parts + 4 * (bottom - top) * (right - left);
            for (let line = top; line < bottom; line += 1) {
              const to = dx + ((image * w.inHeight + line) * w.inWidth + left) * pixel;
              // A row of the window += (a column of equal shares) x (the channels of dy).
              wasm.product(part, 0, 0, from, 0, to, pixel, 1, channels, 1, right - left);
            }
          }
        }
      backend.disposeData(shares.dataId);
      return out;
    };
  },
};
