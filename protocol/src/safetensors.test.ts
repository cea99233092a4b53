import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, utf8 } from './encoding.ts';
import { TributaryError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { decodeSafetensors, encodeSafetensors, readSafetensorsHeader, requireFinite } from './safetensors.ts';
import type { ModelWeights } from './tensors.ts';

function modelOf(shapes: readonly (readonly number[])[], names = shapes.map((_, i) => `layer${i}/kernel`)) {
  let offset = 0;
  const tensors = shapes.map((shape, i) => {
    const length = shape.reduce((a, b) => a * b, 1);
    offset += length;
    return { name: names[i]!, shape, offset: offset - length, length };
  });
  return { tensors, values: Float32Array.from({ length: offset }, (_, i) => Math.sin(i)) };
}

/** A file with any header, padded or not, and any data. */
function fileOf(header: string, dataBytes = 0): Uint8Array {
  const json = utf8(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  return concat(length, json, new Uint8Array(dataBytes));
}

const tensor = (shape: unknown, offsets: unknown, dtype: unknown = 'F32') =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

function refusal(bytes: Uint8Array): string {
  try {
    decodeSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(TributaryError);
    expect((error as TributaryError).code).toBe('model-invalid');
    return (error as Error).message;
  }
  throw new Error('was accepted');
}

const shapesArbitrary = fc.array(fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }), {
  maxLength: 12,
});

describe('safetensors round trip', () => {
  it('gives back tensors, values and metadata of any model, bit by bit', () => {
    fc.assert(
      fc.property(
        shapesArbitrary,
        fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { maxKeys: 5 }),
        fc.integer(),
        (shapes, metadata, bits) => {
          const model = modelOf(shapes);
          new Uint32Array(model.values.buffer).forEach((_, i, all) => {
            all[i] = Math.imul(bits ^ i, 0x9e3779b1);
          });
          const decoded = decodeSafetensors(encodeSafetensors(model, metadata));
          expect(decoded.model.tensors).toEqual(model.tensors);
          expect(new Uint8Array(decoded.model.values.slice().buffer)).toEqual(
            new Uint8Array(model.values.buffer),
          );
          expect({ ...decoded.metadata }).toEqual({ ...metadata });
        },
      ),
    );
  });

  it('starts the data on a multiple of 8 whatever the header', () => {
    for (let n = 1; n < 20; n++) {
      const file = encodeSafetensors(modelOf([[3]], ['x'.repeat(n)]));
      expect(readSafetensorsHeader(file).dataOffset % 8).toBe(0);
    }
  });

  it('keeps flat order for names that look like numbers, and one byte string whatever the metadata order', () => {
    const model = modelOf([[1], [2], [3]], ['10', '9', 'a']);
    expect(decodeSafetensors(encodeSafetensors(model)).model.tensors.map((t) => t.name)).toEqual([
      '10',
      '9',
      'a',
    ]);
    expect(encodeSafetensors(model, { a: '1', b: '2' })).toEqual(
      encodeSafetensors(model, { b: '2', a: '1' }),
    );
  });

  it('reads tensors in data order, whatever their order in the header', () => {
    const file = fileOf(`{"a":${tensor([1], [8, 12])},"b":${tensor([2], [0, 8])}}`, 12);
    expect(decodeSafetensors(file).model.tensors.map((t) => [t.name, t.offset])).toEqual([
      ['b', 0],
      ['a', 2],
    ]);
  });

  it('does not copy aligned data, and copies unaligned data, also of a Buffer', () => {
    const model = modelOf([[5, 3], [3]]);
    const file = encodeSafetensors(model);
    expect(decodeSafetensors(file).model.values.buffer).toBe(file.buffer);
    const shifted = Buffer.alloc(file.length + 1);
    shifted.set(file, 1);
    const values = decodeSafetensors(shifted.subarray(1)).model.values;
    expect(values).toEqual(model.values);
    expect(values.buffer).not.toBe(shifted.buffer);
  });

  it('reads a header without its data', () => {
    const file = encodeSafetensors(modelOf([[7, 2]]), { plan: 'p' });
    const { dataOffset } = readSafetensorsHeader(file);
    expect(readSafetensorsHeader(file.subarray(0, dataOffset))).toMatchObject({ parameters: 14, dataOffset });
  });
});

describe('a hostile safetensors file', () => {
  const scalar = tensor([], [0, 4]);
  it.each<[string, Uint8Array, RegExp]>([
    ['no bytes', new Uint8Array(0), /0 bytes are too few/],
    ['a header longer than the file', fileOf('{}').subarray(0, 9), /only 1 are there/],
    ['a header of 2^64 - 1', new Uint8Array(64).fill(255), /18446744073709551615 bytes, the limit/],
    ['a header over the limit', fileOf(' '.repeat(LIMITS.safetensorsHeader + 1)), /the limit is 4194304/],
    ['a byte order mark', fileOf('\ufeff{}'), /begin with \{/],
    ['leading blanks', fileOf(' {}'), /begin with \{/],
    ['broken JSON', fileOf('{"a":'), /not JSON/],
    ['broken UTF-8', concat(fileOf('{"aa":1}').map((b, i) => (i === 11 ? 0xff : b))), /not JSON in UTF-8/],
    ['deep nesting', fileOf(`{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`), /tensor "a" is not an object/],
    ['one name twice', fileOf(`{"a":${scalar},"a":${scalar}}`, 4), /"a" twice/],
    ['one name twice, once escaped', fileOf(`{"a":${scalar},"\\u0061":${scalar}}`, 4), /"a" twice/],
    ['a field twice', fileOf('{"a":{"dtype":"F32","dtype":"F64","shape":[]}}'), /"dtype" twice/],
    ['metadata keys twice', fileOf('{"__metadata__":{"k":"1","k" :"2"}}'), /"k" twice/],
    ['metadata that is no text', fileOf('{"__metadata__":{"k":1}}'), /"k" is not a string/],
    ['metadata that is a list', fileOf('{"__metadata__":[]}'), /not an object/],
    ['prototype pollution', fileOf(`{"__proto__":${scalar}}`, 4), /cannot be named "__proto__"/],
    ['an empty name', fileOf(`{"":${scalar}}`, 4), /cannot be named ""/],
    ['a name with a line break', fileOf(`{"a\\nb":${scalar}}`, 4), /cannot be named/],
    ['a name with a terminal escape', fileOf(`{"\\u001b[2J":${scalar}}`, 4), /cannot be named/],
    ['a name with a lone surrogate', fileOf(`{"\\ud800":${scalar}}`, 4), /cannot be named/],
    ['a name too long', fileOf(`{"${'a'.repeat(LIMITS.name + 1)}":${scalar}}`, 4), /cannot be named/],
    ['an unknown field', fileOf('{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}'), /exactly/],
    ['a missing field', fileOf('{"a":{"dtype":"F32","shape":[]}}'), /exactly/],
    ['another type', fileOf(`{"a":${tensor([2], [0, 4], 'F16')}}`, 4), /dtype "F16"/],
    ['a fractional dimension', fileOf(`{"a":${tensor([1.5], [0, 4])}}`, 4), /shape holds 1.5/],
    ['a negative dimension', fileOf(`{"a":${tensor([-1], [0, 4])}}`, 4), /shape holds -1/],
    ['an empty dimension', fileOf(`{"a":${tensor([0], [0, 0])}}`), /dimension of 0/],
    ['too many dimensions', fileOf(`{"a":${tensor(Array(9).fill(1), [0, 4])}}`, 4), /9 dimensions/],
    ['a product that overflows', fileOf(`{"a":${tensor([2 ** 31, 2 ** 31, 4], [0, 4])}}`, 4), /parameters/],
    ['too many parameters', fileOf(`{"a":${tensor([LIMITS.parameters + 1], [0, 4])}}`, 4), /500000001 param/],
    ['too many in sum', fileOf(`{"a":${tensor([3e8], [0, 12e8])},"b":${tensor([3e8], [12e8, 24e8])}}`), /6/],
    ['three offsets', fileOf(`{"a":${tensor([1], [0, 4, 8])}}`, 4), /\[begin, end\]/],
    ['offsets backwards', fileOf(`{"a":${tensor([1], [0, 4])},"b":${tensor([1], [4, 0])}}`, 8), /offsets -4/],
    [
      'offsets that miss the shape',
      fileOf(`{"a":${tensor([2], [0, 4])}}`, 4),
      /takes 8 bytes, its offsets 4/,
    ],
    ['a hole', fileOf(`{"a":${tensor([1], [0, 4])},"b":${tensor([1], [8, 12])}}`, 12), /a hole/],
    ['a hole at the front', fileOf(`{"a":${tensor([1], [4, 8])}}`, 8), /a hole/],
    ['an overlap', fileOf(`{"a":${tensor([2], [0, 8])},"b":${tensor([1], [4, 8])}}`, 8), /an overlap/],
    ['data too short', fileOf(`{"a":${tensor([2], [0, 8])}}`, 7), /take 8 bytes, 7 follow/],
    ['data left over', fileOf(`{"a":${tensor([2], [0, 8])}}`, 9), /take 8 bytes, 9 follow/],
  ])('with %s is refused', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
    expect(({} as { dtype?: unknown }).dtype).toBeUndefined();
  });

  it('never ends in anything but a model or model-invalid, wherever a byte is changed', () => {
    const good = encodeSafetensors(modelOf([[2, 2], [2]]), { by: 'test' });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, end) => {
        const bytes = good.slice(0, Math.max(end, at + 1));
        bytes[at] = byte;
        try {
          const { model } = decodeSafetensors(bytes);
          expect(model.values.length).toBe(6);
        } catch (error) {
          expect((error as TributaryError).code).toBe('model-invalid');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('encodeSafetensors', () => {
  const good = modelOf([[2], [3]]);
  const first = good.tensors[0]!;
  it.each<[string, ModelWeights, RegExp]>([
    ['a gap', { ...good, tensors: [{ ...first, offset: 1 }] }, /2 at 0 are due/],
    ['a length that is not the shape', { ...good, tensors: [{ ...first, length: 3 }] }, /2 at 0 are due/],
    ['values left over', { ...good, tensors: [first] }, /hold 2 parameters, the vector 5/],
    ['a name twice', modelOf([[1], [1]], ['a', 'a']), /two tensors/],
    ['a reserved name', modelOf([[1]], ['__metadata__']), /cannot be named/],
  ])('refuses a model with %s', (_, model, message) => {
    expect(() => encodeSafetensors(model)).toThrow(message);
  });
});

it('requireFinite names the first value that is none', () => {
  requireFinite(Float32Array.of(0, -0, 3.4e38, 1e-45));
  expect(() => requireFinite(Float32Array.of(1, Number.NaN))).toThrow('Parameter 1 of 2 is NaN.');
  expect(() => requireFinite(Float32Array.of(-Infinity), 'not-finite')).toThrow('is -Infinity');
});
