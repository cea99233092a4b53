/** What the aggregation worker is asked, and answers. Plain data: it crosses a thread boundary. */
import type { UnmaskingOrder } from '@tributary/protocol/secagg';

export interface FoldJob {
  readonly type: 'fold';
  readonly attempt: string;
  readonly member: string;
  /** The durable update: raw little-endian words. */
  readonly path: string;
  /** Physical words of the vector. */
  readonly length: number;
}

export interface SumJob {
  readonly type: 'sum';
  readonly attempt: string;
  readonly parameters: number;
  /** Fixed-point scale of each scalar slot, in order; the first slot is the weight sum. */
  readonly scales: readonly number[];
  readonly coordinateBound: number;
  readonly weightCap: number;
  readonly strategy: 'fedavg';
  /** U3 with the paths of their updates: folded again here if a fold was missed. */
  readonly survivors: readonly { readonly member: string; readonly path: string }[];
  /** |U2|. */
  readonly cohortSize: number;
  /** Masks to take away; none in plain mode. */
  readonly order: UnmaskingOrder;
  /** The current model file; its tensors are kept, its values are moved. */
  readonly basePath: string;
}

export interface DiscardJob {
  readonly type: 'discard';
  readonly attempt: string;
}

export type Job = FoldJob | SumJob | DiscardJob;

export interface SumAnswer {
  /** SHA-256 of the unmasked words, hex. */
  readonly sum: string;
  /** The new model, a whole safetensors file. */
  readonly file: Uint8Array<ArrayBuffer>;
  /** SHA-256 of the bare new weights, hex. */
  readonly weights: string;
  readonly scalars: readonly number[];
  /** L2 norm of the mean update. */
  readonly norm: number;
}
