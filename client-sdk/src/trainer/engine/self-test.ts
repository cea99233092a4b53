/**
 * Does this engine compute right on this machine? Convolution, pooling, matrix product and gather, forwards and
 * backwards, against plain loops in double precision. A wrong result of any of them would poison everybody's model.
 */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { Engine } from './port.ts';
import * as reference from './reference.ts';

/** Engines add in different orders; float32 on values near 1 stays far below this. */
const TOLERANCE = 1e-4;

interface Check {
  readonly name: string;
  run(engine: Engine): Tensor;
  want(): readonly number[];
}

/** Small numbers of both signs without a pattern that could hide a transposition. */
const values = (count: number, phase: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + phase));

const IMAGE = { batch: 2, size: 6, channels: 3, filters: 4, kernel: 3 } as const;
const image = values(IMAGE.batch * IMAGE.size ** 2 * IMAGE.channels, 0.1);
const filter = values(IMAGE.kernel ** 2 * IMAGE.channels * IMAGE.filters, 0.7);
const imageShape: [number, number, number, number] = [IMAGE.batch, IMAGE.size, IMAGE.size, IMAGE.channels];
const filterShape: [number, number, number, number] = [
  IMAGE.kernel,
  IMAGE.kernel,
  IMAGE.channels,
  IMAGE.filters,
];
/** All windows negative: where the wasm backend of tfjs has its gradient wrong. */
const negative = image.map((value) => -1 - Math.abs(value));
const left = values(5 * 7, 0.3);
const right = values(7 * 6, 0.9);
const rows = values(4 * 3, 0.5);
const picks = [2, 0, 2, 3, 1];

const CHECKS: readonly Check[] = [
  {
    name: 'the convolution',
    run: ({ tf }) => tf.conv2d(tf.tensor4d(image, imageShape), tf.tensor4d(filter, filterShape), 1, 'same'),
    want: () => reference.conv2d(image, filter, IMAGE).output,
  },
  {
    name: "the convolution's gradient by its input",
    run: ({ tf }) =>
      tf.grad((x) => tf.square(tf.conv2d(x as Tensor4D, tf.tensor4d(filter, filterShape), 1, 'same')))(
        tf.tensor4d(image, imageShape),
      ),
    want: () => reference.conv2d(image, filter, IMAGE).byImage,
  },
  {
    name: "the convolution's gradient by its filter",
    run: ({ tf }) =>
      tf.grad((w) => tf.square(tf.conv2d(tf.tensor4d(image, imageShape), w as Tensor4D, 1, 'same')))(
        tf.tensor4d(filter, filterShape),
      ),
    want: () => reference.conv2d(image, filter, IMAGE).byFilter,
  },
  {
    name: 'the gradient of max pooling',
    run: ({ tf }) =>
      tf.grad((x) => tf.square(tf.maxPool(x as Tensor4D, 2, 2, 'valid')))(tf.tensor4d(negative, imageShape)),
    want: () => reference.maxPoolGradient(negative, IMAGE),
  },
  {
    name: 'the matrix product',
    run: ({ tf }) => tf.matMul(tf.tensor2d(left, [5, 7]), tf.tensor2d(right, [7, 6])),
    want: () => reference.matMul(left, right, 5, 7, 6),
  },
  {
    name: 'the gradient of gather',
    run: ({ tf }) =>
      tf.grad((x) => tf.square(tf.gather(x, tf.tensor1d(picks, 'int32'))))(tf.tensor2d(rows, [4, 3])),
    want: () => reference.gatherGradient(rows, picks, 3),
  },
];

/** Takes some milliseconds. @returns what is wrong, or undefined */
export function selfTest(engine: Engine): string | undefined {
  for (const check of CHECKS) {
    const fault = faultOf(check, engine);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOf({ name, run, want }: Check, engine: Engine): string | undefined {
  try {
    const got = engine.tf.tidy(() => run(engine).dataSync());
    const expected = want();
    if (got.length !== expected.length) return `${name} has ${got.length} values, not ${expected.length}`;
    // Written so that NaN counts as wrong.
    const wrong = expected.findIndex((value, i) => !(Math.abs(got[i]! - value) <= TOLERANCE));
    return wrong < 0 ? undefined : `${name} gives ${got[wrong]} and not ${expected[wrong]}`;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
