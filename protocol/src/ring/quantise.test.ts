import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import {
  clipToNorm,
  createAccumulator,
  dequantise,
  gridOf,
  layoutOf,
  quantise,
  writeSentinels,
} from './index.ts';

const CAP = 1000;
const CLIP = 10;

/** About normal values (sum of four uniform ones), from a seed. */
function noise(seed: number, length: number, size: number): Float32Array {
  const bytes = seededRandom(nodeCrypto, Uint8Array.of(seed, seed >> 8, seed >> 16))(4 * length);
  return Float32Array.from({ length }, (_, i) => {
    const sum = bytes[4 * i]! + bytes[4 * i + 1]! + bytes[4 * i + 2]! + bytes[4 * i + 3]!;
    return ((sum - 510) / 148) * size;
  });
}

const norm = (values: ArrayLike<number>) => Math.hypot(...Array.from(values).map((v) => v || 0));

describe('Quantise', () => {
  // The error is about 1 / (sqrt(12) x (w / W) x s x root mean square of a coordinate): 20 members and a clip of 10
  // leave s = 1.07e7, so coordinates of 1e-3 give 3.4e-5 and a tenth of that size would miss the floor.
  it('sums to the float mean: relative L2 error below 1e-4 at weights about 800 of 1000 and clip 10', () => {
    const members = fc.array(fc.record({ seed: fc.nat(), weight: fc.integer({ min: 600, max: 1000 }) }), {
      minLength: 3,
      maxLength: 20,
    });
    const parameters = 3000;
    const layout = layoutOf(parameters, 0);
    fc.assert(
      fc.property(members, fc.constantFrom(1e-3, 1e-2), (cohort, size) => {
        const grid = gridOf(cohort.length, CLIP);
        const sum = createAccumulator(layout.length, 'plain');
        const member = createAccumulator(layout.length, 'plain');
        const mean = new Float64Array(parameters);
        const weights = cohort.reduce((total, { weight }) => total + weight, 0);
        for (const { seed, weight } of cohort) {
          const delta = noise(seed, parameters, size);
          clipToNorm(delta, CLIP);
          delta.forEach((value, i) => {
            mean[i]! += (value * weight) / weights;
          });
          writeSentinels(member.words);
          expect(quantise(delta, weight / CAP, grid, layout, member.words)).toBe(0);
          sum.add(member.bytes, 0);
        }
        const out = new Float32Array(parameters);
        dequantise(sum.words, grid, layout, weights / CAP, out);
        const error = out.map((value, i) => value - mean[i]!);
        expect(norm(error) / norm(mean)).toBeLessThan(1e-4);
      }),
      { numRuns: 40 },
    );
  });

  it.each([1, 2, 3, 7, 20, 127, 128])(
    'never leaves int32 when all of %d members stand at the bound',
    (members) => {
      const layout = layoutOf(4, 0);
      const grid = gridOf(members, CLIP);
      const sum = createAccumulator(layout.length, 'plain');
      for (let i = 0; i < members; i++) {
        const member = createAccumulator(layout.length, 'plain');
        // The last two lie beyond the coordinate bound: clamped, and counted.
        const delta = Float32Array.of(CLIP, -CLIP, 100 * CLIP, -1e30);
        expect(quantise(delta, 1, grid, layout, member.words)).toBe(2);
        sum.add(member.bytes, 0);
      }
      const top = members * Math.floor((2 ** 31 - 1) / members);
      expect(top).toBeLessThan(2 ** 31);
      expect(Array.from(new Int32Array(sum.words.buffer).subarray(1))).toEqual([top, -top, top, -top]);
      const out = new Float32Array(4);
      dequantise(sum.words, grid, layout, members, out);
      expect(Array.from(out)).toEqual([CLIP, -CLIP, CLIP, -CLIP]);
    },
  );

  it('rounds to the nearest grid step, ties to even', () => {
    const layout = layoutOf(8, 0);
    const words = new Uint32Array(layout.length);
    const grid = { bound: 2 ** 30, scale: 1 };
    quantise(Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, -7.51), 1, grid, layout, words);
    expect(Array.from(new Int32Array(words.buffer).subarray(1))).toEqual([0, 2, 2, 0, -2, -2, 0, -8]);
  });

  it('agrees with plain rounding over the whole range of the grid', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -CLIP, max: CLIP, noNaN: true }), { minLength: 1 }), (values) => {
        const layout = layoutOf(values.length, 0);
        const words = new Uint32Array(layout.length);
        const grid = gridOf(3, CLIP);
        quantise(Float32Array.from(values), 0.8, grid, layout, words);
        values.forEach((value, i) => {
          const exact = value * (0.8 * grid.scale);
          expect(Math.abs(new Int32Array(words.buffer)[i + 1]! - exact)).toBeLessThanOrEqual(0.5);
        });
      }),
    );
  });

  it('leaves sentinels and scalar slots alone, across several blocks', () => {
    const layout = layoutOf(140_000, 2);
    const words = new Uint32Array(layout.length).fill(77);
    quantise(new Float32Array(140_000), 1, gridOf(3, 1), layout, words);
    const kept = Array.from(words.keys()).filter((i) => words[i] === 77);
    const scalars = [140_003, 140_004, 140_005, 140_006];
    expect(kept).toEqual([0, 65_536, 131_072, ...scalars]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %d before it writes',
    (bad) => {
      const layout = layoutOf(100, 0);
      const words = new Uint32Array(layout.length).fill(5);
      const delta = new Float32Array(100).fill(1);
      delta[97] = bad;
      const attempt = () => quantise(delta, 1, gridOf(3, 10), layout, words);
      expect(attempt).toThrow(expect.objectContaining({ code: 'not-finite' }));
      expect(attempt).toThrow('Coordinate 97');
      expect(words.every((word) => word === 5)).toBe(true);
      expect(() => clipToNorm(delta, 1)).toThrow(expect.objectContaining({ code: 'not-finite' }));
      expect(delta[0]).toBe(1);
    },
  );

  it.each([1.0001, -0.1, Number.NaN])('refuses a weight of %d caps', (share) => {
    const layout = layoutOf(1, 0);
    expect(() => quantise(new Float32Array(1), share, gridOf(3, 1), layout, new Uint32Array(2))).toThrow(
      expect.objectContaining({ code: 'overflow' }),
    );
  });

  it('refuses vectors that do not fit the layout', () => {
    const layout = layoutOf(10, 0);
    expect(() => quantise(new Float32Array(9), 1, gridOf(3, 1), layout, new Uint32Array(11))).toThrow('fit');
    expect(() => dequantise(new Uint32Array(12), gridOf(3, 1), layout, 1, new Float32Array(10))).toThrow(
      'fit',
    );
    expect(() => dequantise(new Uint32Array(11), gridOf(3, 1), layout, 0, new Float32Array(10))).toThrow(
      'divisor',
    );
  });
});

describe('Dequantise', () => {
  it('gives the same floats over its own memory as into fresh memory', () => {
    const layout = layoutOf(150_000, 1);
    const grid = gridOf(3, 1);
    const words = new Uint32Array(layout.length);
    quantise(noise(1, 150_000, 0.1), 1, grid, layout, words);
    const fresh = new Float32Array(150_000);
    dequantise(words, grid, layout, 1, fresh);
    const overlaid = new Float32Array(words.buffer, words.byteOffset, 150_000);
    dequantise(words, grid, layout, 1, overlaid);
    expect(Buffer.compare(new Uint8Array(fresh.buffer), new Uint8Array(words.buffer, 0, 600_000))).toBe(0);
  });
});

describe('Clip to norm', () => {
  it('leaves a short update untouched and says its norm', () => {
    const delta = Float32Array.of(3, 4);
    expect(clipToNorm(delta, 5)).toEqual({ norm: 5, clipped: false });
    expect(Array.from(delta)).toEqual([3, 4]);
  });

  it('brings any longer update to the clip, never above it, in the same direction', () => {
    const values = fc.array(
      fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 }),
      {
        minLength: 1,
        maxLength: 50,
      },
    );
    fc.assert(
      fc.property(values, fc.double({ min: 1e-3, max: 100, noNaN: true }), (list, clip) => {
        const delta = Float32Array.from(list);
        const before = norm(delta);
        const { norm: reported, clipped } = clipToNorm(delta, clip);
        expect(Math.abs(reported - before)).toBeLessThanOrEqual(before * 1e-9);
        expect(clipped).toBe(reported > clip);
        expect(norm(delta)).toBeLessThanOrEqual(clip);
        if (!clipped) return;
        expect(norm(delta)).toBeGreaterThan(clip * (1 - 1e-6));
        const strongest = list.reduce((best, v, i) => (Math.abs(v) > Math.abs(list[best]!) ? i : best), 0);
        expect(Math.sign(delta[strongest]!)).toBe(Math.sign(list[strongest]!));
      }),
    );
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a clip of %d', (clip) => {
    expect(() => clipToNorm(new Float32Array(1), clip)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    );
  });
});
