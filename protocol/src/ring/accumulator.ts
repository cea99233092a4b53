/**
 * A vector of words mod 2^32 that chunks and masks are added to (PROTOCOL.md 6): the client masks with it,
 * the coordinator folds and unmasks with it. Addition commutes, so any order gives the same bits.
 */
import type { Keystream } from '../crypto/port.ts';
import { TributaryError } from '../errors.ts';
import { CHUNK, createKernel, type Engine, nativeEngine } from './kernel.ts';

export interface Mask {
  readonly stream: Keystream;
  readonly sign: 1 | -1;
}

export interface Accumulator {
  readonly engine: Engine;
  /** The vector itself, in place for the accumulator's whole life. */
  readonly words: Uint32Array;
  /** The same memory as little-endian bytes, as they travel. */
  readonly bytes: Uint8Array;
  /** Adds a little-endian chunk. @throws malformed for a broken word or a chunk beyond the end. */
  add(bytes: Uint8Array, wordOffset: number): void;
  /** Subtracts a little-endian chunk. @throws malformed as `add`. */
  subtract(bytes: Uint8Array, wordOffset: number): void;
  /** Adds or subtracts the next `4 * length` bytes of the stream over the whole vector. */
  addKeystream(stream: Keystream, sign: 1 | -1): void;
  /** Several streams in one pass: every chunk of the vector takes all masks while it is in cache. */
  addKeystreams(masks: readonly Mask[]): void;
}

/** `length` zero words. @throws malformed for a length that is no count of words. */
export function createAccumulator(length: number, engine: Engine = nativeEngine): Accumulator {
  if (!Number.isSafeInteger(length) || length < 1)
    throw new TributaryError('malformed', `An accumulator holds at least one word, not ${length}.`);
  const kernel = createKernel(length, engine);
  const { words } = kernel;

  function apply(bytes: Uint8Array, wordOffset: number, sign: 1 | -1): void {
    if (bytes.length % 4 !== 0)
      throw new TributaryError('malformed', `A chunk of ${bytes.length} bytes ends inside a word.`);
    if (!Number.isSafeInteger(wordOffset) || wordOffset < 0 || wordOffset + bytes.length / 4 > length)
      throw new TributaryError(
        'malformed',
        `${bytes.length / 4} words at ${wordOffset} do not fit a vector of ${length} words.`,
      );
    kernel.apply(bytes, wordOffset, sign);
  }

  function addKeystreams(masks: readonly Mask[]): void {
    for (let word = 0; word < length; word += CHUNK / 4) {
      const bytes = 4 * Math.min(CHUNK / 4, length - word);
      for (const { stream, sign } of masks) kernel.apply(stream.next(bytes), word, sign);
    }
  }

  return {
    engine: kernel.engine,
    words,
    bytes: new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
    add: (bytes, wordOffset) => apply(bytes, wordOffset, 1),
    subtract: (bytes, wordOffset) => apply(bytes, wordOffset, -1),
    addKeystream: (stream, sign) => addKeystreams([{ stream, sign }]),
    addKeystreams,
  };
}
