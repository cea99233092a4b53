import { batchMatMul } from './batch-mat-mul.ts';
import { descend } from './descend.ts';
import type { TrainingKernel } from './kernel.ts';

/** Every kernel of ours, one file each. Those with the name of a stock kernel take its place. */
export const TRAINING_KERNELS: readonly TrainingKernel[] = [batchMatMul, descend];
