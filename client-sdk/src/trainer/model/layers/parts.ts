/** What layers of our own are made of. Everything here is taped, so that tfjs finds the gradients itself. */
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import { seededRandom } from '../../training/random.ts';

/** As it stands in a topology, or the short name of one. */
export type InitializerConfig = string | { readonly className: string; readonly config: object };

type Initializer = ReturnType<typeof Layers.initializers.zeros>;

export interface ReadInitializer {
  readonly initializer: Initializer;
  /** With every default filled in, a place for the seed among them. */
  readonly config: InitializerConfig;
}

/** tfjs exports its initializers but not the way to read one from a topology: a dense layer does it. */
export function readInitializer(tfl: typeof Layers, given: InitializerConfig): ReadInitializer {
  const reader = tfl.layers.dense({ units: 1, kernelInitializer: given as unknown as Initializer });
  const { kernelInitializer } = reader as unknown as { kernelInitializer: Initializer };
  return {
    initializer: kernelInitializer,
    config: reader.getConfig().kernelInitializer as InitializerConfig,
  };
}

/** Ba, Kiros and Hinton 2016, over the last axis, without gain and bias. */
export function normalise(tf: typeof Core, x: Core.Tensor, epsilon: number): Core.Tensor {
  const op = tf.customGrad((...taped) => {
    const [given, save] = taped as unknown as [Core.Tensor, Core.GradSaveFunc];
    const centred = tf.sub(given, tf.mean(given, -1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
    const value = tf.mul(centred, inverse);
    save([value, inverse]);
    const gradFunc = (dy: Core.Tensor, saved: Core.Tensor[]) => {
      const [y, scale] = saved as [Core.Tensor, Core.Tensor];
      const along = tf.mul(y, tf.mean(tf.mul(dy, y), -1, true));
      return tf.mul(scale, tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), along));
    };
    return { value, gradFunc };
  });
  return op(x);
}

/** Srivastava et al. 2014. The mask is drawn from Math.random, which is the task's own while training. */
export function dropout(tf: typeof Core, x: Core.Tensor, rate: number): Core.Tensor {
  if (rate === 0) return x;
  const random = seededRandom(Uint8Array.from({ length: 16 }, () => 256 * Math.random()));
  const kept = 1 / (1 - rate);
  const mask = new Float32Array(x.size);
  for (let at = 0; at < mask.length; at += 1) mask[at] = random.next() < rate ? 0 : kept;
  return tf.mul(x, tf.tensor(mask, x.shape));
}

/** x Phi(x) (Hendrycks and Gimpel 2016), with the error function and not an approximation of it. */
export function gelu(tf: typeof Core, x: Core.Tensor): Core.Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

export function single<T>(inputs: T | T[]): T {
  return Array.isArray(inputs) ? inputs[0]! : inputs;
}

/** @throws Error as tfjs words them, which `prepareTopology` turns into plan-invalid */
export function wholeNumber(layer: string, name: string, value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 1)
    throw new Error(`${name} of a ${layer} layer is a whole number from 1, not ${String(value)}`);
  return value as number;
}
