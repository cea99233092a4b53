import { adamStep } from './adam.ts';
import { avgPoolGrad } from './avg-pool-grad.ts';
import { batchMatMul } from './batch-mat-mul.ts';
import { conv2DBackpropFilter } from './conv2d-backprop-filter.ts';
import { conv2DBackpropInput } from './conv2d-backprop-input.ts';
import { depthwiseBackpropFilter, depthwiseBackpropInput } from './depthwise.ts';
import { descend } from './descend.ts';
import { einsum } from './einsum.ts';
import type { TrainingKernel } from './kernel.ts';
import { maxPoolGrad } from './max-pool-grad.ts';
import { samePadding } from './same-padding.ts';
import { sum } from './sum.ts';
import { unsortedSegmentSum } from './unsorted-segment-sum.ts';

/** Every kernel of ours, one file each. Those with the name of a stock kernel take its place. */
export const TRAINING_KERNELS: readonly TrainingKernel[] = [
  adamStep,
  avgPoolGrad,
  batchMatMul,
  conv2DBackpropFilter,
  conv2DBackpropInput,
  depthwiseBackpropFilter,
  depthwiseBackpropInput,
  descend,
  einsum,
  maxPoolGrad,
  ...samePadding,
  sum,
  unsortedSegmentSum,
];
