/** What every way of taking an optimiser step is. */
export interface Step {
  /** Trains one batch (rows x row width, rows x values to predict) and returns its mean loss before the update, penalties included. */
  train(values: Float32Array, labels: Float32Array): number;
  /** The model holds the trained weights afterwards. */
  end(): void;
}
