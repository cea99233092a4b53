import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkSentinels,
  createAccumulator,
  layoutOf,
  parameterBlocks,
  payloadIndex,
  physicalIndex,
  writeSentinels,
} from './index.ts';

const layouts = fc
  .tuple(fc.integer({ min: 1, max: 300_000 }), fc.nat(20))
  .map(([parameters, scalars]) => layoutOf(parameters, scalars));

describe('Layout', () => {
  it.each([
    [1, 0, 2],
    [65_535, 0, 65_536],
    [65_536, 0, 65_538],
    [65_533, 1, 65_536],
    [65_534, 1, 65_538],
    [131_070, 0, 131_072],
    [10_000_000, 4, 10_000_161],
  ])('%d parameters and %d scalars take %d words', (parameters, scalars, length) => {
    expect(layoutOf(parameters, scalars)).toEqual({
      parameters,
      scalars,
      payload: parameters + 2 * scalars,
      length,
    });
  });

  it('maps payload to physical words one to one, skips exactly the sentinels, and always upwards', () => {
    const { payload, length } = layoutOf(200_000, 3);
    let next = 0;
    for (let physical = 0; physical < length; physical++) {
      const index = payloadIndex(physical);
      if (physical % 65_536 === 0) {
        expect(index).toBeUndefined();
        continue;
      }
      if (index !== next || physicalIndex(next) !== physical || physical <= next)
        expect.fail(`word ${physical}`);
      next++;
    }
    expect(next).toBe(payload);
  });

  it('cuts the parameters into runs that cover each once and contain no sentinel', () => {
    fc.assert(
      fc.property(layouts, (layout) => {
        let next = 0;
        for (const { payload, physical, length } of parameterBlocks(layout)) {
          expect(payload).toBe(next);
          expect(physical).toBe(physicalIndex(payload));
          expect(Math.floor(physical / 65_536)).toBe(Math.floor((physical + length - 1) / 65_536));
          expect(physical % 65_536).toBeGreaterThan(0);
          next += length;
        }
        expect(next).toBe(layout.parameters);
      }),
    );
  });

  it.each([
    [0, 0],
    [1.5, 0],
    [10, -1],
    [10, 0.5],
    [Number.NaN, 0],
  ])('refuses %d parameters with %d scalars', (parameters, scalars) => {
    expect(() => layoutOf(parameters, scalars)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});

describe('Sentinels', () => {
  const { length } = layoutOf(200_000, 3);

  it('count the members of the sum', () => {
    const member = createAccumulator(length, 'plain');
    writeSentinels(member.words);
    const sum = createAccumulator(length, 'plain');
    for (let i = 0; i < 5; i++) sum.add(member.bytes, 0);
    expect(() => checkSentinels(sum.words, 5)).not.toThrow();
    expect(() => checkSentinels(sum.words, 4)).toThrow(
      'Sentinel 0 (word 0) counts 5 members, not the 4 survivors',
    );
    sum.subtract(member.bytes.subarray(4 * 131_072), 131_072);
    expect(() => checkSentinels(sum.words, 5)).toThrow('Sentinel 2 (word 131072) counts 4');
    expect(() => checkSentinels(sum.words, 5)).toThrow(expect.objectContaining({ code: 'sum-corrupt' }));
  });

  it('lie at every 65,536th word and nowhere else', () => {
    const words = new Uint32Array(length);
    writeSentinels(words);
    expect(Array.from(words.keys()).filter((i) => words[i] !== 0)).toEqual([0, 65_536, 131_072, 196_608]);
  });
});
