import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAccumulator, decodeScalarSum, encodeScalar, layoutOf } from './index.ts';

const layout = layoutOf(65_533, 3);
const EDGE = 2 ** 47 - 1;

/** What `decodeScalarSum` gives for values encoded in one slot by one member each. */
function sumOf(values: readonly number[], scale: number, slot = 0): number {
  const sum = createAccumulator(layout.length, 'plain');
  const member = createAccumulator(layout.length, 'plain');
  for (const value of values) {
    encodeScalar(member.words, layout, slot, value, scale);
    sum.add(member.bytes, 0);
  }
  return decodeScalarSum(sum.words, layout, slot, values.length, scale);
}

describe('Scalars', () => {
  it('sum exactly in fixed point, whatever the signs', () => {
    const fixed = fc.array(fc.integer({ min: -EDGE, max: EDGE }), { minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(fixed, fc.nat(2), (values, slot) => {
        expect(sumOf(values, 1, slot)).toBe(values.reduce((total, value) => total + value, 0));
      }),
      { numRuns: 30 },
    );
  });

  it('round once per member to the scale', () => {
    const values = [0.1, -2.7, 312.5];
    expect(Math.abs(sumOf(values, 2 ** 20) - 309.9)).toBeLessThanOrEqual(1.5 / 2 ** 20);
  });

  it.each([EDGE, -EDGE])('bear 128 members at the edge %d', (edge) => {
    expect(sumOf(Array(128).fill(edge), 1)).toBeCloseTo(128 * edge, -1);
  });

  it('keep their limbs on either side of a sentinel', () => {
    const words = new Uint32Array(layout.length);
    encodeScalar(words, layout, 0, 1, 1);
    encodeScalar(words, layout, 1, -1, 1);
    const written = Array.from(words.keys()).filter((i) => words[i] !== 0);
    expect(written).toEqual([65_534, 65_535, 65_537, 65_538]);
    expect(decodeScalarSum(words, layout, 0, 1, 1)).toBe(1);
    expect(decodeScalarSum(words, layout, 1, 1, 1)).toBe(-1);
  });

  it.each([EDGE + 1, -EDGE - 1, 1e300])('refuse %d, without clamping and without naming it', (value) => {
    const words = new Uint32Array(layout.length);
    const attempt = () => encodeScalar(words, layout, 2, value, 1);
    expect(attempt).toThrow(expect.objectContaining({ code: 'overflow' }));
    expect(attempt).not.toThrow(String(value));
    expect(words.every((word) => word === 0)).toBe(true);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('refuse %d', (value) => {
    expect(() => encodeScalar(new Uint32Array(layout.length), layout, 0, value, 1)).toThrow(
      expect.objectContaining({ code: 'not-finite' }),
    );
  });

  it.each([65_534, 65_535])('refuse a limb (word %d) that no honest members can sum to', (limb) => {
    const words = new Uint32Array(layout.length);
    words[limb] = 3 * (2 ** 24 - 1);
    expect(() => decodeScalarSum(words, layout, 0, 3, 1)).not.toThrow();
    words[limb]!++;
    expect(() => decodeScalarSum(words, layout, 0, 3, 1)).toThrow(
      expect.objectContaining({ code: 'sum-corrupt' }),
    );
  });

  it.each([0, 129, 2.5])('refuse a sum over %d members', (members) => {
    expect(() => decodeScalarSum(new Uint32Array(layout.length), layout, 0, members, 1)).toThrow('members');
  });

  it.each([-1, 3, 0.5])('refuse slot %d of 3', (slot) => {
    expect(() => encodeScalar(new Uint32Array(layout.length), layout, slot, 1, 1)).toThrow(`no slot ${slot}`);
  });
});
