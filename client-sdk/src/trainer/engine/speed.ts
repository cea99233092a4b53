/**
 * How fast an engine trains, as one of three classes: enough to tell an operator why a round takes its time, too coarse
 * to tell anything about a partner's data.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { SPEED_CLASSES, type SpeedClass } from '@tributary/protocol';
import type { Engine } from './engine.ts';

/** A step of a small convolutional net: 16 images of 24 x 24 x 8, two layers of 3 x 3 filters. */
const NET = { batch: 16, size: 24, channels: [8, 24, 24] } as const;
const STEPS = 3;

/** Multiplications and additions of one step: forwards once, backwards twice. */
const FLOPS = NET.channels
  .slice(1)
  .reduce((sum, out, i) => sum + 3 * 2 * 9 * NET.batch * NET.size ** 2 * NET.channels[i]! * out, 0);

/** Best of three training steps after one to warm up, in billions of floating-point operations per second. */
export function measureGflops({ tf }: Engine): number {
  const shape = (i: number): [number, number, number, number] => [
    3,
    3,
    NET.channels[i]!,
    NET.channels[i + 1]!,
  ];
  const filters = [0, 1].map((i) => tf.variable(tf.randomUniform(shape(i), -0.1, 0.1)));
  const images = tf.randomUniform([NET.batch, NET.size, NET.size, NET.channels[0]]);
  try {
    let best = Infinity;
    for (let step = 0; step <= STEPS; step += 1) {
      const started = performance.now();
      tf.tidy(() => {
        const { grads } = tf.variableGrads(() => {
          let hidden = images as Tensor;
          for (const filter of filters)
            hidden = tf.relu(tf.conv2d(hidden as never, filter as never, 1, 'same'));
          return tf.mean(tf.square(hidden));
        });
        for (const gradient of Object.values(grads)) gradient.dataSync();
      });
      if (step > 0) best = Math.min(best, performance.now() - started);
    }
    return FLOPS / best / 1e6;
  } finally {
    for (const tensor of [...filters, images]) tensor.dispose();
  }
}

export function speedClassOf(gflops: number): SpeedClass {
  if (gflops >= SPEED_CLASSES.fast.from) return 'fast';
  return gflops >= SPEED_CLASSES.medium.from ? 'medium' : 'slow';
}
