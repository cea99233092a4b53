import type { Tensor } from '@tensorflow/tfjs-core';
import { SPEED_CLASSES } from '@tributary/protocol';
import { expect, test } from 'vitest';
import { loadEngine } from './engine.ts';
import { selfTest } from './self-test.ts';
import { measureGflops, speedClassOf } from './speed.ts';

test('wasm with our kernels passes the self-test, which tfjs 4.22 alone does not', async () => {
  const engine = await loadEngine('wasm');
  expect(engine).toMatchObject({ name: 'wasm', passedOver: [] });
  expect(selfTest(engine)).toBeUndefined();
});

test.each([
  ['conv2d', 'the convolution'],
  ['maxPool', 'the gradient of max pooling'],
  ['matMul', 'the matrix product'],
  ['gather', 'the gradient of gather'],
] as const)('an engine that has %s wrong is found out', async (operation, name) => {
  const engine = await loadEngine('wasm');
  const { tf } = engine;
  const right = tf[operation] as (...given: unknown[]) => Tensor;
  const slightly = (...given: unknown[]) => tf.mul(right(...given), 1.001);
  expect(selfTest({ ...engine, tf: { ...tf, [operation]: slightly } })).toMatch(`${name} gives `);
});

test('an engine that gives NaN, or throws, is found out', async () => {
  const engine = await loadEngine('wasm');
  const { tf } = engine;
  const nan = { ...tf, matMul: () => tf.fill([5, 6], Number.NaN) as never };
  expect(selfTest({ ...engine, tf: nan })).toMatch(/the matrix product gives NaN/);
  const throws = () => {
    throw new Error('illegal instruction');
  };
  expect(selfTest({ ...engine, tf: { ...tf, matMul: throws } })).toBe(
    'the matrix product: illegal instruction',
  );
});

test('auto takes native where it is, else wasm with the reason; never cpu', async () => {
  const { name, passedOver } = await loadEngine('auto');
  if (name === 'native') expect(passedOver).toEqual([]);
  else expect([name, passedOver]).toEqual(['wasm', [expect.stringMatching(/^native: /)]]);
});

test('speed comes as one of three classes', async () => {
  const gflops = measureGflops(await loadEngine('wasm'));
  expect(gflops).toBeGreaterThan(0);
  expect(Object.keys(SPEED_CLASSES)).toContain(speedClassOf(gflops));
  const { medium, fast } = SPEED_CLASSES;
  const classes = [0.1, medium.from - 0.1, medium.from, fast.from - 0.1, fast.from, 1e6].map(speedClassOf);
  expect(classes).toEqual(['slow', 'slow', 'medium', 'medium', 'fast', 'fast']);
});

test('measuring leaves no tensor behind', async () => {
  const engine = await loadEngine('wasm');
  const before = engine.tf.memory().numTensors;
  measureGflops(engine);
  selfTest(engine);
  expect(engine.tf.memory().numTensors).toBe(before);
});
