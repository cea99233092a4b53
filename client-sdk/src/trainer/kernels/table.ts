import { batchMatMul } from './batch-mat-mul.ts';
import type { TrainingKernel } from './kernel.ts';

/** Every kernel of ours, one file each. Registered in place of the stock kernel of the same name. */
export const TRAINING_KERNELS: readonly TrainingKernel[] = [batchMatMul];
