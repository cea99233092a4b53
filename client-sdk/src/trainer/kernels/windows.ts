/** Where the windows of a two-dimensional convolution or pooling lie. Images are [batch, height, width, channels]. */
export interface Windows {
  readonly batch: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  /** Rows of zeros above the image, and below it as far as a window reaches. */
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The attributes that tfjs gives its convolution and pooling kernels. */
export interface WindowAttributes {
  readonly strides: number | readonly [number, number];
  readonly pad: 'same' | 'valid' | number | readonly (readonly [number, number])[];
  readonly dataFormat?: string;
  readonly dilations?: number | readonly number[];
}

export function windowsOf(
  input: readonly number[],
  output: readonly number[],
  filter: number | readonly number[],
  attributes: object,
): Windows {
  const { strides, pad, dataFormat = 'NHWC', dilations = 1 } = attributes as WindowAttributes;
  if (dataFormat !== 'NHWC') throw new Error(`Images must be NHWC here, these are ${dataFormat}.`);
  if ([dilations].flat().some((rate) => rate !== 1))
    throw new Error('Dilated windows have no gradient here.');
  const [strideHeight, strideWidth] = pair(strides);
  const [filterHeight, filterWidth] = pair(filter);
  const [batch, inHeight, inWidth] = input as [number, number, number];
  const [, outHeight, outWidth] = output as [number, number, number];
  const before = (axis: 0 | 1, size: number, count: number, stride: number, window: number) => {
    if (pad === 'valid') return 0;
    // As TensorFlow pads: the odd row goes below.
    if (pad === 'same') return Math.floor(Math.max(0, (count - 1) * stride + window - size) / 2);
    return typeof pad === 'number' ? pad : pad[axis + 1]![0];
  };
  const top = before(0, inHeight, outHeight, strideHeight, filterHeight);
  const left = before(1, inWidth, outWidth, strideWidth, filterWidth);
  return {
    batch,
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    filterHeight,
    filterWidth,
    strideHeight,
    strideWidth,
    top,
    bottom: Math.max(0, (outHeight - 1) * strideHeight + filterHeight - top - inHeight),
    left,
    right: Math.max(0, (outWidth - 1) * strideWidth + filterWidth - left - inWidth),
  };
}

/** Images with zeros around them, or cut out of them again: `copy(from, to)` is called for every row, in values. */
export function eachRow(
  windows: Windows,
  channels: number,
  copy: (inner: number, padded: number) => void,
): void {
  const { batch, inHeight, inWidth, top, left } = windows;
  const { height, width } = paddedSize(windows);
  for (let image = 0; image < batch; image += 1)
    for (let row = 0; row < inHeight; row += 1)
      copy(
        (image * inHeight + row) * inWidth * channels,
        ((image * height + top + row) * width + left) * channels,
      );
}

export function paddedSize({ inHeight, inWidth, top, bottom, left, right }: Windows) {
  return { height: top + inHeight + bottom, width: left + inWidth + right };
}

function pair(value: number | readonly number[]): [number, number] {
  return typeof value === 'number' ? [value, value] : [value[0]!, value[1]!];
}
