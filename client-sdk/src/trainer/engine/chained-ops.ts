import type * as Core from '@tensorflow/tfjs-core';

/**
 * tfjs-layers calls these as methods of tensors (its orthogonal initializer, some layers), but only the big tfjs
 * bundle installs methods on tensors.
 */
export function installChainedOps(tf: typeof Core): void {
  const methods: Record<string, (this: Core.Tensor, ...rest: never[]) => Core.Tensor> = {
    flatten() {
      return tf.reshape(this, [this.size]);
    },
    reshape(shape: number[]) {
      return tf.reshape(this, shape);
    },
    sign() {
      return tf.sign(this);
    },
    stridedSlice(begin: number[], end: number[], strides: number[]) {
      return tf.stridedSlice(this, begin, end, strides);
    },
    transpose(perm?: number[]) {
      return tf.transpose(this, perm);
    },
  };
  for (const [name, method] of Object.entries(methods))
    if (!(name in tf.Tensor.prototype)) Object.defineProperty(tf.Tensor.prototype, name, { value: method });
}
