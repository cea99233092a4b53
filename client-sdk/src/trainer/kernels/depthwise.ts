/**
 * Both gradients of depthwise convolution, which the backend lacks. Each channel of the input has `multiplier` channels
 * of its own in the output; with more than one the input is first repeated along its channels, so that the loops only
 * ever see one.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, heapOf, type TrainingKernel } from './kernel.ts';
import { trainWasmOf } from './train-wasm.ts';
import { type Windows, windowsOf } from './windows.ts';

type Shape4 = [number, number, number, number];

export const depthwiseBackpropFilter: TrainingKernel = {
  name: 'DepthwiseConv2dNativeBackpropFilter',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
      const filterShape = attrs.filterShape as Shape4;
      const multiplier = filterShape[3];
      const out = backend.makeOutput(filterShape, 'float32');
      const wide = multiplier === 1 ? x : repeatChannels(backend, x, multiplier);
      heapOf(backend, out).fill(0);
      const wasm = trainWasmOf(backend);
      const [from, slope, to] = addressesOf(backend, wide, dy, out);
      forEachTap(windowsOf(x.shape, dy.shape, filterShape, attrs), 4 * dy.shape[3]!, (tap) =>
        wasm.spread(
          to + tap.weight,
          0,
          from + tap.x,
          tap.xStep,
          slope + tap.dy,
          tap.dyStep,
          dy.shape[3]!,
          tap.count,
        ),
      );
      if (wide !== x) backend.disposeData(wide.dataId);
      return out;
    };
  },
};

export const depthwiseBackpropInput: TrainingKernel = {
  name: 'DepthwiseConv2dNativeBackpropInput',
  build() {
    return ({ inputs, attrs, backend }) => {
      const { dy, filter } = inputs as { dy: TensorInfo; filter: TensorInfo };
      const inputShape = attrs.inputShape as Shape4;
      const multiplier = filter.shape[3]!;
      const channels = dy.shape[3]!;
      const wide = backend.makeOutput([...inputShape.slice(0, 3), channels], 'float32');
      heapOf(backend, wide).fill(0);
      const wasm = trainWasmOf(backend);
      const [slope, weights, to] = addressesOf(backend, dy, filter, wide);
      forEachTap(windowsOf(inputShape, dy.shape, filter.shape, attrs), 4 * channels, (tap) =>
        wasm.spread(
          to + tap.x,
          tap.xStep,
          slope + tap.dy,
          tap.dyStep,
          weights + tap.weight,
          0,
          channels,
          tap.count,
        ),
      );
      if (multiplier === 1) return { ...wide, shape: inputShape };
      const out = sumChannels(backend, wide, inputShape, multiplier);
      backend.disposeData(wide.dataId);
      return out;
    };
  },
};

/** One weight of the filter meets `count` positions of one row of the output. All in bytes. */
interface Tap {
  readonly weight: number;
  readonly x: number;
  readonly xStep: number;
  readonly dy: number;
  readonly dyStep: number;
  readonly count: number;
}

/** `pixel` is the size of all channels of a position in bytes. */
function forEachTap(w: Windows, pixel: number, visit: (tap: Tap) => void): void {
  for (let aside = 0; aside < w.filterWidth; aside += 1) {
    // The output columns whose windows have this column of the filter inside the image.
    const first = Math.max(0, Math.ceil((w.left - aside) / w.strideWidth));
    const last = Math.min(w.outWidth - 1, Math.floor((w.inWidth - 1 + w.left - aside) / w.strideWidth));
    if (last < first) continue;
    const column = first * w.strideWidth + aside - w.left;
    for (let image = 0; image < w.batch; image += 1)
      for (let row = 0; row < w.outHeight; row += 1)
        for (let down = 0; down < w.filterHeight; down += 1) {
          const line = row * w.strideHeight + down - w.top;
          if (line < 0 || line >= w.inHeight) continue;
          visit({
            weight: (down * w.filterWidth + aside) * pixel,
            x: ((image * w.inHeight + line) * w.inWidth + column) * pixel,
            xStep: w.strideWidth * pixel,
            dy: ((image * w.outHeight + row) * w.outWidth + first) * pixel,
            dyStep: pixel,
            count: last - first + 1,
          });
        }
  }
}

function repeatChannels(backend: BackendWasm, x: TensorInfo, times: number): TensorInfo {
  const out = backend.makeOutput([...x.shape.slice(0, 3), x.shape[3]! * times], 'float32');
  const [from, to] = [heapOf(backend, x), heapOf(backend, out)];
  for (let at = 0; at < to.length; at += 1) to[at] = from[Math.floor(at / times)]!;
  return out;
}

function sumChannels(backend: BackendWasm, wide: TensorInfo, shape: Shape4, times: number): TensorInfo {
  const out = backend.makeOutput(shape, 'float32');
  const [from, to] = [heapOf(backend, wide), heapOf(backend, out)];
  to.fill(0);
  for (let at = 0; at < from.length; at += 1) {
    const into = Math.floor(at / times);
    to[into] = to[into]! + from[at]!;
  }
  return out;
}
