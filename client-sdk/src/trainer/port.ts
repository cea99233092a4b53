import type { ModelWeights, Plan, SpeedClass } from '@tributary/protocol';

/**
 * The training port: weights in, weights and counts out. The built-in adapter trains with tfjs in a worker thread;
 * a partner may plug in its own (any framework). It is chosen by the partner, never shipped by the coordinator.
 */
export interface Trainer {
  /** Shown to the partner, reported and stored with the round: `wasm`, `native`, `cpu` or the adapter's own name. */
  readonly engine: string;
  /** Reported and stored beside it. */
  readonly speed: SpeedClass;
  /** What the partner should know about it, in words: why a faster engine was passed over. */
  readonly remarks?: readonly string[];
  /**
   * Evaluates the incoming model on the hold-out, then trains it on the other rows.
   * @throws TributaryError training-failed, data-invalid, not-finite; AbortError when `signal` fires.
   */
  train(task: TrainingTask): Promise<TrainingResult>;
  /** Evaluates a model on all rows: evaluator nodes, comparisons. */
  evaluate(task: EvaluationTask): Promise<Evaluation>;
  /** Ends worker threads and frees memory. Idempotent. */
  close(): Promise<void>;
}

export interface EvaluationTask {
  readonly plan: Plan;
  /** The global model; adapters must not write into it. */
  readonly weights: ModelWeights;
  readonly signal?: AbortSignal;
}

export interface TrainingTask extends EvaluationTask {
  /** 32 bytes, new for every attempt: shuffling, dropout, anything random in training. */
  readonly seed: Uint8Array;
  /** 32 bytes, the same in every round: which rows are held out. */
  readonly splitSeed: Uint8Array;
  /** Share of the work done, 0..1; the session coarsens it before it leaves the site. */
  readonly onProgress?: (done: number) => void;
}

/** Means over `count` rows; metrics are named as in `plan.training.metrics`. */
export interface Evaluation {
  readonly count: number;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface TrainingResult {
  /** All parameters after training, in the flat order of the incoming `ModelWeights.tensors`. */
  readonly values: Float32Array;
  /** Rows trained on (the hold-out does not count). */
  readonly samples: number;
  /** Mean training loss over the last epoch, penalties included. */
  readonly loss: number;
  /** The incoming model on the hold-out; `count` 0 when the plan's holdout is 0. */
  readonly holdout: Evaluation;
}
