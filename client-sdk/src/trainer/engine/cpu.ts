/** The plain JavaScript backend of tfjs: for comparison, and for machines without WebAssembly. Slow. */
import { TributaryError } from '@tributary/protocol';
import { correctCpuGradients } from '../kernels/cpu-corrections.ts';
import { installChainedOps } from './chained-ops.ts';
import type { EngineParts } from './port.ts';

export async function startCpu(): Promise<EngineParts> {
  const tf = await import('@tensorflow/tfjs-core');
  const layers = await import('@tensorflow/tfjs-layers');
  await import('@tensorflow/tfjs-backend-cpu');
  installChainedOps(tf);
  correctCpuGradients(tf);
  tf.enableProdMode();
  if (!(await tf.setBackend('cpu')))
    throw new TributaryError('training-failed', 'The cpu backend of tfjs did not start.');
  await tf.ready();
  return { tf, layers };
}
