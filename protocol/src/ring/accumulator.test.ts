/** One acceptance suite over both engines, with arithmetic on plain numbers as the oracle. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { portableCrypto } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { createAccumulator, type Engine, nativeEngine } from './index.ts';

const LENGTH = 1201;
const ENGINES: Engine[] = ['wasm', 'plain'];

/** Chunks of every length, offset into the vector and byte alignment of their buffer. */
const chunk = fc
  .record({
    offset: fc.nat(LENGTH),
    count: fc.nat(300),
    misalignment: fc.nat(7),
    sign: fc.constantFrom(1 as const, -1 as const),
    seed: fc.integer(),
  })
  .map(({ offset, count, misalignment, sign, seed }) => {
    const words = Uint32Array.from({ length: Math.min(count, LENGTH - offset) }, (_, i) =>
      Math.imul(seed + i, 0x9e3779b1),
    );
    const bytes = new Uint8Array(4 * words.length + misalignment).subarray(misalignment);
    bytes.set(new Uint8Array(words.buffer));
    return { offset, sign, words, bytes };
  });

/** Shared over all runs of a property: a browser or Node reserves gigabytes of address space per WASM memory. */
const vectors = { wasm: createAccumulator(LENGTH, 'wasm'), plain: createAccumulator(LENGTH, 'plain') };

describe.each(ENGINES)('Accumulator on the %s engine', (engine) => {
  const vector = vectors[engine];

  it('runs on the engine that was asked for', () => {
    expect(vector.engine).toBe(engine);
    expect(nativeEngine).toBe('wasm');
  });

  it('adds and subtracts chunks at odd lengths, offsets and alignments mod 2^32', () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 8 }), (chunks) => {
        vector.words.fill(0xffff_fff0);
        const expected = Array<number>(LENGTH).fill(0xffff_fff0);
        for (const { offset, sign, words, bytes } of chunks) {
          if (sign === 1) vector.add(bytes, offset);
          else vector.subtract(bytes, offset);
          words.forEach((word, i) => {
            expected[offset + i] = (expected[offset + i]! + sign * word + 2 ** 32) % 2 ** 32;
          });
        }
        expect(Array.from(vector.words)).toEqual(expected);
      }),
    );
  });

  it('reads and writes words as little-endian bytes', () => {
    vector.words.fill(0);
    vector.add(Uint8Array.of(1, 2, 3, 4), 5);
    expect(vector.words[5]).toBe(0x04030201);
    expect(Array.from(vector.bytes.subarray(20, 24))).toEqual([1, 2, 3, 4]);
  });

  it.each([
    [7, 0, 'inside a word'],
    [8, LENGTH - 1, 'do not fit'],
    [4, -1, 'do not fit'],
    [4, 0.5, 'do not fit'],
    [4, Number.NaN, 'do not fit'],
  ])('refuses %d bytes at word %d and changes nothing', (bytes, offset, reason) => {
    vector.words.fill(9);
    expect(() => vector.add(new Uint8Array(bytes).fill(1), offset)).toThrow(reason);
    expect(() => vector.subtract(new Uint8Array(bytes).fill(1), offset)).toThrow(
      expect.objectContaining({ code: 'malformed' }),
    );
    expect(vector.words.every((word) => word === 9)).toBe(true);
  });

  it('adds a key stream that spans several cache-sized chunks, whole and in order', () => {
    const key = Uint8Array.from(randomBytes(32));
    const long = createAccumulator(40_001, engine);
    long.addKeystream(nodeCrypto.keystream(key), 1);
    const stream = portableCrypto.keystream(key).next(4 * 40_001);
    expect(Buffer.compare(long.bytes, stream)).toBe(0);
    long.addKeystream(nodeCrypto.keystream(key), 1);
    const twice = new Uint32Array(stream.buffer, 0, 40_001).map((word) => 2 * word);
    expect(Buffer.compare(long.bytes, new Uint8Array(twice.buffer))).toBe(0);
  });

  it('comes back to the start when the same masks are added and subtracted, in whatever order', () => {
    const keys = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill));
    const masks = (sign: 1 | -1) => keys.map((key) => ({ stream: nodeCrypto.keystream(key), sign }));
    const vector = createAccumulator(33_000, engine);
    vector.words.forEach((_, i, words) => {
      words[i] = i;
    });
    vector.addKeystreams(masks(1));
    expect(vector.words[7]).not.toBe(7);
    vector.addKeystreams(masks(-1).reverse());
    expect(vector.words.every((word, i) => word === i)).toBe(true);
  });
});

describe('Accumulator', () => {
  it('gives the same bits on both engines after the same mixture of operations', () => {
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 6 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (chunks, key) => {
          for (const engine of ENGINES) {
            const vector = vectors[engine];
            vector.words.fill(1);
            vector.addKeystream(nodeCrypto.keystream(key), 1);
            for (const { offset, sign, bytes } of chunks)
              sign === 1 ? vector.add(bytes, offset) : vector.subtract(bytes, offset);
            vector.addKeystreams([
              { stream: nodeCrypto.keystream(nodeCrypto.sha256(key)), sign: -1 },
              { stream: nodeCrypto.keystream(key), sign: 1 },
            ]);
          }
          expect(Buffer.compare(vectors.wasm.bytes, vectors.plain.bytes)).toBe(0);
        },
      ),
    );
  });

  it('falls back to the plain engine where the host has no WebAssembly', async () => {
    vi.stubGlobal('WebAssembly', undefined);
    vi.resetModules();
    try {
      const ring = await import('./index.ts');
      const vector = ring.createAccumulator(4);
      expect([ring.nativeEngine, vector.engine, ring.createAccumulator(4, 'wasm').engine]).toEqual(
        Array(3).fill('plain'),
      );
      vector.subtract(Uint8Array.of(1, 0, 0, 0), 3);
      expect(Array.from(vector.words)).toEqual([0, 0, 0, 0xffff_ffff]);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses a length of %d', (length) => {
    expect(() => createAccumulator(length)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('takes chunks larger than its scratch page', () => {
    const bytes = Uint8Array.from(randomBytes(4 * 50_000));
    const [wasm, plain] = ENGINES.map((engine) => createAccumulator(50_003, engine));
    for (const vector of [wasm!, plain!]) {
      vector.add(bytes, 3);
      vector.subtract(bytes.subarray(4), 1);
    }
    expect(Buffer.compare(wasm!.bytes, plain!.bytes)).toBe(0);
  });

  it('ships the WASM that ring.wat compiles to', () => {
    const script = fileURLToPath(new URL('../../scripts/build-ring-wasm.js', import.meta.url));
    execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' });
  });
});
