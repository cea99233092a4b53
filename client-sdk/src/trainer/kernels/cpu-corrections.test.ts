import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import { correctCpuGradients } from './cpu-corrections.ts';
import { expectAgreement, input } from './test-gradients.ts';

test('the corrected cpu gradients are those of wasm, and leave no tensor behind', async () => {
  const { tf } = await loadEngine();
  correctCpuGradients(tf);
  correctCpuGradients(tf);
  const images = input([3, 5, 4, 2]);
  for (const [window, stride] of [
    [2, 2],
    [3, 2],
    [3, 1],
  ] as const)
    await expectAgreement((t, x) => t.avgPool(x as Tensor4D, window, stride, 'same'), [images]);
  await expectAgreement((t, x) => t.image.resizeNearestNeighbor(x as Tensor4D, [10, 8]), [images]);
  await tf.setBackend('cpu');
  const before = [tf.memory().numTensors, tf.engine().backend.numDataIds()];
  tf.tidy(() => {
    const loss = (x: Tensor) => tf.sum(tf.image.resizeNearestNeighbor(x as Tensor4D, [6, 6]));
    tf.grad(loss)(tf.ones([2, 3, 3, 1]));
  });
  expect([tf.memory().numTensors, tf.engine().backend.numDataIds()]).toEqual(before);
  await tf.setBackend('wasm');
});
