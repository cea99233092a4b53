import { run, type TrainingKernel } from './kernel.ts';

/**
 * Where a stride is larger than the filter along one axis, the backend computes a wrong border for 'same', and wrong
 * results without an error. The border is given explicitly then.
 */
function withExplicitBorder(name: string): TrainingKernel {
  return {
    name,
    build(stock) {
      const convolve = stock(name);
      return ({ inputs, attrs, backend }) => {
        const { pad, strides, dilations } = attrs as unknown as Attributes;
        const [height, width] = inputs.x!.shape.slice(1) as [number, number];
        const [rows, columns] = inputs.filter!.shape as [number, number];
        const [down, along] = typeof strides === 'number' ? [strides, strides] : strides;
        const skips = down > rows || along > columns;
        if (pad !== 'same' || !skips || [dilations ?? 1].flat().some((rate) => rate > 1))
          return run(convolve, backend, inputs, attrs);
        const explicit = [[0, 0], border(height, down, rows), border(width, along, columns), [0, 0]];
        return run(convolve, backend, inputs, { ...attrs, pad: explicit });
      };
    },
  };
}

interface Attributes {
  readonly pad: unknown;
  readonly strides: number | [number, number];
  readonly dilations?: number | readonly number[];
}

/** TensorFlow's 'same': ceil(size / stride) outputs, the odd row of zeros after the image. */
function border(size: number, stride: number, window: number): [number, number] {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + window - size);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

export const samePadding: readonly TrainingKernel[] = [
  'Conv2D',
  'FusedConv2D',
  'DepthwiseConv2dNative',
  'FusedDepthwiseConv2D',
].map(withExplicitBorder);
