import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, fromBase64, fromHex, toBase64, toHex } from './encoding.ts';

describe('base64url and hex', () => {
  it('equal Node’s own for all bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(fromHex(toHex(bytes))).toEqual(bytes);
      }),
    );
  });

  it('RFC 4648, 10: test vectors without padding', () => {
    const vectors = {
      '': '',
      f: 'Zg',
      fo: 'Zm8',
      foo: 'Zm9v',
      foob: 'Zm9vYg',
      fooba: 'Zm9vYmE',
      foobar: 'Zm9vYmFy',
    };
    for (const [text, encoded] of Object.entries(vectors)) expect(toBase64(Buffer.from(text))).toBe(encoded);
  });

  it('one value, one text: padding, stray bits, other alphabets and lengths are refused', () => {
    for (const text of [
      'Zg==',
      'Zh',
      'Zm9',
      'A',
      'Zm+v',
      'Zm/v',
      'Zm v',
      'Zm9vY',
      'Zg\n',
      'Zgé',
      '\u0100\u0100',
    ])
      expect(() => fromBase64(text), text).toThrow(expect.objectContaining({ code: 'malformed' }));
    for (const text of ['a', 'AB', 'zz', '0x', ' 1']) expect(() => fromHex(text)).toThrow();
  });

  it('accepts a text only if it is the one that the bytes encode to', () => {
    const char = fc.constantFrom(...'ABCZabcz019-_+/= ');
    fc.assert(
      fc.property(fc.string({ unit: char, maxLength: 12 }), (text) => {
        let bytes: Uint8Array;
        try {
          bytes = fromBase64(text);
        } catch {
          return;
        }
        expect(toBase64(bytes)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('canonical JSON, RFC 8785', () => {
  it('sorts by UTF-16 code units and writes numbers as ECMAScript does: the RFC’s own examples', () => {
    const numbers = [Number('333333333.33333329'), 1e30, 4.5, 2e-3, 0.000000000000000000000000001];
    expect(
      canonicalJson({
        numbers,
        string: '€$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
        literals: [null, true, false],
      }),
    ).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
    const keys = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.values(JSON.parse(canonicalJson(keys)))).toHaveLength(7);
    expect(canonicalJson(keys)).toMatch(/^\{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3\}$/);
  });

  it('refuses what JSON cannot hold', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, [undefined], new Map(), () => 1, 1n])
      expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
