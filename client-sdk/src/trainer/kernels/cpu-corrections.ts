/** Two gradients that the cpu backend of tfjs has wrong, without an error: corrected around its own kernels. */
import type { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type * as Core from '@tensorflow/tfjs-core';
import { windowsOf } from './windows.ts';

type Call = {
  readonly inputs: Readonly<Record<string, Core.TensorInfo>>;
  readonly attrs: Core.NamedAttrMap;
  readonly backend: MathBackendCPU;
};
type CpuKernel = (call: Call) => Core.TensorInfo;

/** Idempotent. */
export function correctCpuGradients(tf: typeof Core): void {
  for (const [name, correct] of [
    ['AvgPoolGrad', averageInsideOnly],
    ['ResizeNearestNeighborGrad', imageByImage],
  ] as const) {
    const stock = tf.getKernel(name, 'cpu');
    if (corrected.has(stock.kernelFunc)) continue;
    const kernelFunc = correct(stock.kernelFunc as unknown as CpuKernel) as unknown as Core.KernelFunc;
    corrected.add(kernelFunc);
    tf.unregisterKernel(name, 'cpu');
    tf.registerKernel({ ...stock, kernelFunc });
  }
}

const corrected = new WeakSet<Core.KernelFunc>();

/** tfjs divides by the whole window, where the mean was over the part of it inside the image. */
function averageInsideOnly(stock: CpuKernel): CpuKernel {
  return ({ inputs, attrs, backend }) => {
    const { dy, input } = inputs as { dy: Core.TensorInfo; input: Core.TensorInfo };
    const w = windowsOf(input.shape, dy.shape, attrs.filterSize as number | number[], attrs);
    const inside = (index: number, stride: number, before: number, window: number, size: number) =>
      Math.min(size, index * stride - before + window) - Math.max(0, index * stride - before);
    const channels = dy.shape[3]!;
    const values = Float32Array.from(valuesOf(backend, dy), (value, at) => {
      const position = Math.floor(at / channels);
      const column = inside(position % w.outWidth, w.strideWidth, w.left, w.filterWidth, w.inWidth);
      const line = Math.floor(position / w.outWidth) % w.outHeight;
      const row = inside(line, w.strideHeight, w.top, w.filterHeight, w.inHeight);
      return (value * w.filterHeight * w.filterWidth) / (row * column);
    });
    const scaled = backend.makeTensorInfo(dy.shape, 'float32', values);
    const out = stock({ inputs: { ...inputs, dy: scaled }, attrs, backend });
    backend.disposeIntermediateTensorInfo(scaled);
    return out;
  };
}

/** tfjs reads the gradients of every image but the first from the wrong place. */
function imageByImage(stock: CpuKernel): CpuKernel {
  return ({ inputs, attrs, backend }) => {
    const { dy, images } = inputs as { dy: Core.TensorInfo; images: Core.TensorInfo };
    const count = images.shape[0]!;
    const one = (of: Core.TensorInfo, index: number) => {
      const all = valuesOf(backend, of);
      const size = all.length / count;
      const part = all.slice(index * size, (index + 1) * size);
      return backend.makeTensorInfo([1, ...of.shape.slice(1)], of.dtype, part);
    };
    const out = new Float32Array(images.shape.reduce((product, size) => product * size, 1));
    for (let index = 0; index < count; index += 1) {
      const parts = { dy: one(dy, index), images: one(images, index) };
      const result = stock({ inputs: parts, attrs, backend });
      out.set(valuesOf(backend, result), (index * out.length) / count);
      for (const part of [parts.dy, parts.images, result]) backend.disposeIntermediateTensorInfo(part);
    }
    return backend.makeTensorInfo(images.shape, 'float32', out);
  };
}

function valuesOf(backend: MathBackendCPU, tensor: Core.TensorInfo): Float32Array {
  return backend.data.get(tensor.dataId).values as Float32Array;
}
