import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { addressesOf, heapOf, run, type TrainingKernel } from './kernel.ts';
import { type TrainWasm, trainWasmOf } from './train-wasm.ts';
import { eachRow, paddedSize, type Windows, windowsOf } from './windows.ts';

/** Below this width a row of the output is too short for the inner loop, and sums run across the images instead. */
const SHORT_ROW = 8;
/** Below this many units the vectors run along the window: see `product` in train-wat.js. */
const FEW_UNITS = 8;

/**
 * The gradient of a convolution's filter, which the backend lacks. In an image [height, width, channels] a row of a
 * window is contiguous, so each row of the filter's gradient is a sum of products (row of windows)^T x (row of dy), and
 * nothing but the border needs to be copied.
 */
export const conv2DBackpropFilter: TrainingKernel = {
  name: 'Conv2DBackpropFilter',
  build(stock) {
    const transpose = stock('Transpose');
    return ({ inputs, attrs, backend }) => {
      const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
      const filterShape = attrs.filterShape as [number, number, number, number];
      const [filterHeight, filterWidth, channels, units] = filterShape;
      const windows = windowsOf(x.shape, dy.shape, filterShape, attrs);
      const swapped = units < FEW_UNITS;
      const shape = swapped ? [filterHeight, units, filterWidth, channels] : filterShape;
      const sums = backend.makeOutput(shape, 'float32');
      const padded = withBorder(backend, x, windows, channels);
      heapOf(backend, sums).fill(0);
      const [from, slope, to] = addressesOf(backend, padded, dy, sums);
      const add = swapped ? addSwapped : addPlain;
      add(trainWasmOf(backend), windows, channels, units, from, slope, to);
      if (padded !== x) backend.disposeData(padded.dataId);
      if (!swapped) return sums;
      const out = run(transpose, backend, { x: sums }, { perm: [0, 2, 3, 1] });
      backend.disposeData(sums.dataId);
      return out;
    };
  },
};

type AddProducts = (
  wasm: TrainWasm,
  windows: Windows,
  channels: number,
  units: number,
  x: number,
  dy: number,
  filter: number,
) => void;

const addPlain: AddProducts = (wasm, windows, channels, units, x, dy, filter) => {
  const window = windows.filterWidth * channels;
  forEachSum(windows, channels, units, (at, slope, down, xStep, dyStep, count) =>
    wasm.product(
      x + at,
      4,
      xStep,
      dy + slope,
      dyStep,
      filter + 4 * down * window * units,
      4 * units,
      count,
      units,
      1,
      window,
    ),
  );
};

const addSwapped: AddProducts = (wasm, windows, channels, units, x, dy, filter) => {
  const window = windows.filterWidth * channels;
  forEachSum(windows, channels, units, (at, slope, down, xStep, dyStep, count) =>
    wasm.product(
      dy + slope,
      4,
      dyStep,
      x + at,
      xStep,
      filter + 4 * down * window * units,
      4 * window,
      count,
      window,
      1,
      units,
    ),
  );
};

/** Offsets and steps in bytes; `down` is the row of the filter, `count` the number of windows to sum over. */
type VisitSum = (x: number, dy: number, down: number, xStep: number, dyStep: number, count: number) => void;

function forEachSum(w: Windows, channels: number, units: number, visit: VisitSum): void {
  const { height, width } = paddedSize(w);
  const across = w.outWidth < SHORT_ROW && w.outWidth < w.batch;
  const [images, columns] = across ? [1, w.outWidth] : [w.batch, 1];
  const xStep = 4 * channels * (across ? height * width : w.strideWidth);
  const dyStep = 4 * units * (across ? w.outHeight * w.outWidth : 1);
  const count = across ? w.batch : w.outWidth;
  for (let image = 0; image < images; image += 1)
    for (let row = 0; row < w.outHeight; row += 1)
      for (let column = 0; column < columns; column += 1)
        for (let down = 0; down < w.filterHeight; down += 1) {
          const line = image * height + row * w.strideHeight + down;
          const x = 4 * channels * (line * width + column * w.strideWidth);
          const dy = 4 * units * ((image * w.outHeight + row) * w.outWidth + column);
          visit(x, dy, down, xStep, dyStep, count);
        }
}

function withBorder(backend: BackendWasm, x: TensorInfo, windows: Windows, channels: number): TensorInfo {
  const { height, width } = paddedSize(windows);
  if (height === windows.inHeight && width === windows.inWidth) return x;
  const padded = backend.makeOutput([windows.batch, height, width, channels], 'float32');
  const [source, target] = [heapOf(backend, x), heapOf(backend, padded)];
  target.fill(0);
  const length = windows.inWidth * channels;
  eachRow(windows, channels, (inner, at) => target.set(source.subarray(inner, inner + length), at));
  return padded;
}
