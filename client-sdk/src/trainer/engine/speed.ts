/**
 * How fast an engine trains, as one of three classes: enough to tell an operator why a round takes its time, too coarse
 * to tell anything about a partner's data.
 */
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { SPEED_CLASSES, type SpeedClass } from '@tributary/protocol';
import type { Engine } from './port.ts';

/** A layer of 3 x 3 filters on square images, wide enough that arithmetic outweighs the calls. */
const LAYER = { size: 16, from: 32, to: 64 } as const;
const BATCH = 8;
const STEPS = 3;
/** A single image that takes longer says all that there is to say: milliseconds. */
const SLOW = 50;

/**
 * Best of three training steps after one on a single image, in billions of floating-point operations per second:
 * multiplications and additions, once forwards and twice backwards.
 */
export function measureGflops({ tf }: Engine): number {
  const { size, from, to } = LAYER;
  const filter = wave(tf, [3, 3, from, to], 0.1);
  const step = (batch: number): number => {
    const images = wave(tf, [batch, size, size, from], 1);
    const started = performance.now();
    tf.tidy(() => {
      const gradients = tf.grads((x, w) =>
        tf.mean(tf.square(tf.relu(tf.conv2d(x as Tensor4D, w as Tensor4D, 1, 'same')))),
      )([images, filter]);
      for (const gradient of gradients) gradient.dataSync();
    });
    images.dispose();
    return performance.now() - started;
  };
  const gflops = (batch: number, milliseconds: number): number =>
    (3 * 2 * 9 * batch * size ** 2 * from * to) / milliseconds / 1e6;
  try {
    const single = step(1);
    if (single > SLOW && step(1) > SLOW) return gflops(1, single);
    return gflops(BATCH, Math.min(...Array.from({ length: STEPS }, () => step(BATCH))));
  } finally {
    filter.dispose();
  }
}

/** Numbers of both signs. Drawing random ones would take longer than the steps. */
function wave(tf: Engine['tf'], shape: number[], height: number): Tensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return tf.tensor(
    Float32Array.from({ length }, (_, i) => height * Math.sin(i)),
    shape,
  );
}

export function speedClassOf(gflops: number): SpeedClass {
  if (gflops >= SPEED_CLASSES.fast.from) return 'fast';
  return gflops >= SPEED_CLASSES.medium.from ? 'medium' : 'slow';
}
