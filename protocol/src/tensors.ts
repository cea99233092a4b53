/** The flat weight vector and the tensors that it is cut into. Order and shapes come from the model's safetensors file. */

/** One float32 tensor of a model. `offset` and `length` count parameters in the flat vector. */
export interface TensorSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly length: number;
}

export interface ModelWeights {
  /** In flat order: the tensors cover `values` without gap or overlap. */
  readonly tensors: readonly TensorSpec[];
  /** All parameters, concatenated. */
  readonly values: Float32Array;
}
