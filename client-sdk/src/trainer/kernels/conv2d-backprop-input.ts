import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, heapOf, run, type TrainingKernel } from './kernel.ts';
import { trainWasmOf } from './train-wasm.ts';
import { eachRow, paddedSize, windowsOf } from './windows.ts';

/**
 * The gradient of a convolution's input, and the forward pass of Conv2DTranspose; the backend's own is scalar code. Each
 * output position spreads dy x filter^T over its window; the images of a batch are the rows of the product.
 */
export const conv2DBackpropInput: TrainingKernel = {
  name: 'Conv2DBackpropInput',
  build(stock) {
    const transpose = stock('Transpose');
    return ({ inputs, attrs, backend }) => {
      const { dy, filter } = inputs as { dy: TensorInfo; filter: TensorInfo };
      const inputShape = attrs.inputShape as [number, number, number, number];
      const [filterHeight, filterWidth, channels, units] = filter.shape as [number, number, number, number];
      const windows = windowsOf(inputShape, dy.shape, filter.shape, attrs);
      const { batch, inHeight, inWidth, outHeight, outWidth, strideHeight, strideWidth } = windows;
      const { height, width } = paddedSize(windows);
      const out = backend.makeOutput(inputShape, 'float32');
      const bordered = height !== inHeight || width !== inWidth;
      const sums = bordered ? backend.makeOutput([batch, height, width, channels], 'float32') : out;
      // [rows, units, columns, channels]: one row of a window is contiguous.
      const swapped = run(transpose, backend, { x: filter }, { perm: [0, 3, 1, 2] });
      heapOf(backend, sums).fill(0);
      const wasm = trainWasmOf(backend);
      const [slope, by, to] = addressesOf(backend, dy, swapped, sums);
      const window = filterWidth * channels;
      for (let row = 0; row < outHeight; row += 1)
        for (let column = 0; column < outWidth; column += 1) {
          const a = slope + 4 * (row * outWidth + column) * units;
          const first = row * strideHeight * width + column * strideWidth;
          for (let down = 0; down < filterHeight; down += 1)
            wasm.product(
              a,
              4 * outHeight * outWidth * units,
              4,
              by + 4 * down * units * window,
              4 * window,
              to + 4 * (first + down * width) * channels,
              4 * height * width * channels,
              units,
              window,
              1,
              batch,
            );
        }
      backend.disposeData(swapped.dataId);
      if (bordered) {
        const [source, target] = [heapOf(backend, sums), heapOf(backend, out)];
        const length = inWidth * channels;
        eachRow(windows, channels, (inner, at) => target.set(source.subarray(at, at + length), inner));
        backend.disposeData(sums.dataId);
      }
      return out;
    };
  },
};
