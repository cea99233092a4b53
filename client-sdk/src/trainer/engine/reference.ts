/** Plain loops that the self-test holds an engine against. Row-major, channels last, as in tfjs. */

interface Image {
  readonly batch: number;
  /** Height and width. */
  readonly size: number;
  readonly channels: number;
  readonly filters: number;
  /** Height and width of the filter; odd. */
  readonly kernel: number;
}

/** Stride 1, padding `same`; gradients of the sum of squares of the output. */
export function conv2d(image: readonly number[], filter: readonly number[], sizes: Image) {
  const { batch, size, filters } = sizes;
  const output = new Array<number>(batch * size * size * filters).fill(0);
  const byImage = new Array<number>(image.length).fill(0);
  const byFilter = new Array<number>(filter.length).fill(0);
  visit(sizes, (from, weight, to) => {
    output[to]! += image[from]! * filter[weight]!;
  });
  visit(sizes, (from, weight, to) => {
    byImage[from]! += 2 * output[to]! * filter[weight]!;
    byFilter[weight]! += 2 * output[to]! * image[from]!;
  });
  return { output, byImage, byFilter };
}

/** Every product of a convolution, as indices into image, filter and output. */
function visit(
  { batch, size, channels, filters, kernel }: Image,
  product: (from: number, weight: number, to: number) => void,
): void {
  const reach = (kernel - 1) / 2;
  const inside = (at: number) => at >= 0 && at < size;
  for (const [b, y, x, f] of indices(batch, size, size, filters))
    for (const [ky, kx, c] of indices(kernel, kernel, channels)) {
      const [row, column] = [y! + ky! - reach, x! + kx! - reach];
      if (!inside(row) || !inside(column)) continue;
      product(
        ((b! * size + row) * size + column) * channels + c!,
        ((ky! * kernel + kx!) * channels + c!) * filters + f!,
        ((b! * size + y!) * size + x!) * filters + f!,
      );
    }
}

function* indices(...sizes: readonly number[]): Generator<readonly number[]> {
  const total = sizes.reduce((product, size) => product * size, 1);
  for (let flat = 0; flat < total; flat += 1) {
    let rest = flat;
    const index = sizes.map(() => 0);
    for (let axis = sizes.length - 1; axis >= 0; axis -= 1) {
      index[axis] = rest % sizes[axis]!;
      rest = Math.floor(rest / sizes[axis]!);
    }
    yield index;
  }
}

/** Windows of 2 x 2, stride 2; gradient of the sum of squares of the maxima. */
export function maxPoolGradient(
  image: readonly number[],
  { batch, size, channels }: Pick<Image, 'batch' | 'size' | 'channels'>,
): number[] {
  const gradient = new Array<number>(image.length).fill(0);
  for (const [b, y, x, c] of indices(batch, size / 2, size / 2, channels)) {
    const window = [...indices(2, 2)].map(
      ([dy, dx]) => ((b! * size + 2 * y! + dy!) * size + 2 * x! + dx!) * channels + c!,
    );
    const best = window.reduce((a, at) => (image[at]! > image[a]! ? at : a));
    gradient[best] = 2 * image[best]!;
  }
  return gradient;
}

/** [m x k] [k x n] */
export function matMul(a: readonly number[], b: readonly number[], m: number, k: number, n: number) {
  return [...indices(m, n)].map(([row, column]) => {
    let sum = 0;
    for (let p = 0; p < k; p += 1) sum += a[row! * k + p]! * b[p * n + column!]!;
    return sum;
  });
}

/** Gradient of the sum of squares of the picked rows, by the table that they are picked from. */
export function gatherGradient(table: readonly number[], picks: readonly number[], width: number): number[] {
  return table.map((value, at) => 2 * value * picks.filter((row) => row === Math.floor(at / width)).length);
}
