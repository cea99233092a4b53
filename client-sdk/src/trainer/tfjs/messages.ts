/** Between the session's thread and the training thread. */
import type { EngineReport, ErrorCode, Plan, TensorSpec } from '@tributary/protocol';
import type { DataSource } from '../../data/dataset.ts';
import type { EngineChoice } from '../engine/names.ts';
import type { Evaluation } from '../port.ts';

/** Given to the thread once, when it starts. */
export interface WorkerSetup {
  readonly data: DataSource;
  readonly folder: string;
  readonly engine: EngineChoice;
}

interface Weights {
  readonly tensors: readonly TensorSpec[];
  /** Transferred, not copied. */
  readonly values: Float32Array;
}

export type WorkerRequest =
  | { readonly kind: 'evaluate'; readonly plan: Plan; readonly weights: Weights }
  | {
      readonly kind: 'train';
      readonly plan: Plan;
      readonly weights: Weights;
      readonly seed: Uint8Array;
      readonly splitSeed: Uint8Array;
    };

export interface TrainedReply {
  readonly kind: 'trained';
  /** Transferred. */
  readonly values: Float32Array;
  readonly samples: number;
  readonly loss: number;
  readonly holdout: Evaluation;
}

export type WorkerReply =
  | { readonly kind: 'ready'; readonly engine: EngineReport; readonly passedOver: readonly string[] }
  | { readonly kind: 'progress'; readonly done: number }
  | TrainedReply
  | { readonly kind: 'evaluated'; readonly evaluation: Evaluation }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly remedy?: string };
