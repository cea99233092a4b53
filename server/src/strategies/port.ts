/** What every server strategy is. */
export interface Strategy {
  /**
   * New weights in place of the old, block by block: `mean[i]` is the weighted mean of the partners' updates (w_k - w)
   * for `weights[i]`. Both have the same length; blocks come in order and cover the vector once.
   */
  apply(weights: Float32Array, mean: Float32Array): void;
}
