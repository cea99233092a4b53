import type { Tensor4D } from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadEngine } from '../engine/engine.ts';
import { expectAgreement, expectSlopes, input, type Operation } from './test-gradients.ts';
import { windowsOf } from './windows.ts';

const size = (max: number, min = 1) => fc.integer({ min, max });
/** Channels on both sides of 8, where vectors begin; batches and widths on both sides of each other. */
const shapes = fc
  .record({
    batch: size(10),
    height: size(10),
    width: size(12),
    channels: size(9),
    units: size(11),
    rows: size(4),
    columns: size(4),
    down: size(3),
    along: size(3),
    pad: fc.constantFrom<'same' | 'valid' | number>('same', 'valid', 1),
  })
  .filter(({ pad, ...s }) => {
    if (pad !== 1) return pad === 'same' || (s.height >= s.rows && s.width >= s.columns);
    // tfjs takes a border in numbers for square filters only, and where windows fit exactly.
    const fits = (length: number) => length + 2 >= s.rows && (length + 2 - s.rows) % s.down === 0;
    return s.rows === s.columns && s.down === s.along && fits(s.height) && fits(s.width);
  });
type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

const convolve =
  ({ down, along, pad }: Shape): Operation =>
  (tf, x, filter) =>
    tf.conv2d(x as Tensor4D, filter as Tensor4D, [down, along], pad);

const inputsOf = (s: Shape) => [
  input([s.batch, s.height, s.width, s.channels]),
  input([s.rows, s.columns, s.channels, s.units]),
];

describe('convolution', () => {
  test('and both gradients agree with the cpu backend for any shape, stride and border', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, (shape) =>
        expectAgreement(convolve(shape), inputsOf(shape), JSON.stringify(shape)),
      ),
      { numRuns: 35, seed: 1 },
    );
  });

  test.each([
    {
      batch: 2,
      height: 5,
      width: 4,
      channels: 3,
      units: 2,
      rows: 3,
      columns: 2,
      down: 1,
      along: 1,
      pad: 'same',
    },
    {
      batch: 3,
      height: 7,
      width: 6,
      channels: 2,
      units: 9,
      rows: 3,
      columns: 3,
      down: 2,
      along: 2,
      pad: 'valid',
    },
    {
      batch: 1,
      height: 6,
      width: 20,
      channels: 4,
      units: 8,
      rows: 2,
      columns: 4,
      down: 2,
      along: 3,
      pad: 'same',
    },
  ] as const)('gradients are the slopes of the result: $pad, strides $down and $along', async (shape) => {
    await expectSlopes(convolve(shape), inputsOf(shape));
  });

  test('a transposed convolution, its gradients included, agrees with the cpu backend', async () => {
    for (const [stride, pad] of [
      [1, 'valid'],
      [2, 'same'],
      [3, 'valid'],
    ] as const) {
      const out = pad === 'same' ? 4 * stride : 3 * stride + 3;
      const operation: Operation = (tf, x, filter) =>
        tf.conv2dTranspose(x as Tensor4D, filter as Tensor4D, [2, out, out, 3], stride, pad);
      await expectAgreement(operation, [input([2, 4, 4, 5]), input([3, 3, 3, 5])], `${stride} ${pad}`);
    }
  });

  test('the order of channels and dilation are checked, not ignored', () => {
    const windows = (attributes: object) => () =>
      windowsOf([1, 4, 4, 1], [1, 2, 2, 1], [3, 3], { strides: 1, pad: 'valid', ...attributes });
    expect(windows({})()).toMatchObject({ outHeight: 2, top: 0, bottom: 0 });
    expect(windows({ dataFormat: 'NCHW' })).toThrow(/NCHW/);
    expect(windows({ dilations: [2, 2] })).toThrow(/Dilated/);
  });
});

describe('depthwise convolution', () => {
  const depthwise =
    ({ down, pad }: Shape): Operation =>
    (tf, x, filter) =>
      tf.depthwiseConv2d(x as Tensor4D, filter as Tensor4D, down, pad);
  const depthwiseInputs = (s: Shape) => [
    input([s.batch, s.height, s.width, s.channels]),
    input([s.rows, s.columns, s.channels, 1 + (s.units % 3)]),
  ];

  test('and both gradients agree with the cpu backend for any shape, stride and multiplier', async () => {
    // The strides of the two axes are one number here.
    const square = shapes.filter(({ pad }) => pad !== 1).map((shape) => ({ ...shape, along: shape.down }));
    await fc.assert(
      fc.asyncProperty(square, (shape) =>
        expectAgreement(depthwise(shape), depthwiseInputs(shape), JSON.stringify(shape)),
      ),
      { numRuns: 25, seed: 1 },
    );
  });

  test('gradients are the slopes of the result', async () => {
    const shape = { batch: 2, height: 5, width: 6, channels: 3, units: 4, rows: 3, columns: 2 };
    for (const pad of ['same', 'valid'] as const) {
      const given = { ...shape, down: 2, along: 2, pad };
      await expectSlopes(depthwise(given), depthwiseInputs(given));
    }
  });
});

test('fused convolutions, with strides larger than the filter, agree with the cpu backend', async () => {
  for (const [rows, columns] of [
    [1, 3],
    [3, 1],
    [2, 2],
  ] as const) {
    const options = { strides: [2, 2] as [number, number], pad: 'same', activation: 'relu' } as const;
    await expectAgreement(
      (tf, x, filter) => tf.fused.conv2d({ x: x as Tensor4D, filter: filter as Tensor4D, ...options }),
      [input([2, 5, 6, 3]), input([rows, columns, 3, 4])],
    );
    await expectAgreement(
      (tf, x, filter) =>
        tf.fused.depthwiseConv2d({ x: x as Tensor4D, filter: filter as Tensor4D, ...options }),
      [input([2, 5, 6, 3]), input([rows, columns, 3, 2])],
    );
  }
});

test('a convolution of many images of many shapes leaves no memory behind', async () => {
  const { tf } = await loadEngine();
  const before = tf.engine().backend.numDataIds();
  const x = input([4, 6, 6, 3]);
  for (let units = 1; units < 12; units += 1)
    await expectAgreement(
      (engine, a, b) => engine.conv2d(a as Tensor4D, b as Tensor4D, 1, 'same'),
      [x, input([3, 3, 3, units])],
    );
  expect(tf.engine().backend.numDataIds()).toBe(before);
});
