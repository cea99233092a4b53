/**
 * How fast an engine trains, as one of three classes: enough to tell an operator why a round takes its time, too coarse
 * to tell anything about a partner's data.
 */
import type { Tensor, Variable } from '@tensorflow/tfjs-core';
import { SPEED_CLASSES, type SpeedClass } from '@tributary/protocol';
import type { Engine } from './port.ts';

/** Two layers of 3 x 3 filters on square images. */
const NET = { size: 24, channels: [8, 24, 24] } as const;
const BATCH = 8;
const STEPS = 3;
/** A single image that takes longer says all that there is to say: milliseconds. */
const SLOW = 50;

/**
 * Best of three training steps after one on a single image, in billions of floating-point operations per second:
 * multiplications and additions, once forwards and twice backwards.
 */
export function measureGflops({ tf }: Engine): number {
  const filters = [0, 1].map((i) => {
    const shape = [3, 3, NET.channels[i]!, NET.channels[i + 1]!];
    return tf.tidy(() => tf.variable(tf.randomUniform(shape, -0.1, 0.1))) as Variable;
  });
  const step = (batch: number): number => {
    const started = performance.now();
    tf.tidy(() => {
      const images = tf.randomUniform([batch, NET.size, NET.size, NET.channels[0]]);
      const { grads } = tf.variableGrads(() => {
        const hidden = filters.reduce<Tensor>(
          (input, filter) => tf.relu(tf.conv2d(input as never, filter as never, 1, 'same')),
          images,
        );
        return tf.mean(tf.square(hidden));
      });
      for (const gradient of Object.values(grads)) gradient.dataSync();
    });
    return performance.now() - started;
  };
  try {
    const single = step(1);
    if (single > SLOW && step(1) > SLOW) return flops(1) / single / 1e6;
    return flops(BATCH) / Math.min(...Array.from({ length: STEPS }, () => step(BATCH))) / 1e6;
  } finally {
    for (const filter of filters) filter.dispose();
  }
}

function flops(batch: number): number {
  const [input, ...outputs] = NET.channels;
  let from: number = input;
  let sum = 0;
  for (const to of outputs) {
    sum += 3 * 2 * 9 * batch * NET.size ** 2 * from * to;
    from = to;
  }
  return sum;
}

export function speedClassOf(gflops: number): SpeedClass {
  if (gflops >= SPEED_CLASSES.fast.from) return 'fast';
  return gflops >= SPEED_CLASSES.medium.from ? 'medium' : 'slow';
}
