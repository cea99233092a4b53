/** The bytes of an answer as they come, kept over broken connections so that the next request asks for the rest only. */
import { TributaryError } from '@tributary/protocol';

export interface BodyBuffer {
  /** Bytes that are there. */
  readonly length: number;
  /** Makes room for bytes that are announced: one buffer of that size, and no second copy. @throws too-large */
  expect(bytes: number): void;
  /** @throws too-large */
  append(chunk: Uint8Array): void;
  clear(): void;
  /** What is there, not copied. */
  bytes(): Uint8Array;
}

const FIRST = 64 * 1024;

/** @param maxBytes longest body accepted */
export function createBodyBuffer(maxBytes: number): BodyBuffer {
  let space = new Uint8Array(0);
  let length = 0;

  function require(bytes: number): void {
    if (bytes > maxBytes)
      throw new TributaryError('too-large', `The answer is longer than ${maxBytes} bytes.`);
  }
  function grow(bytes: number): void {
    if (bytes <= space.length) return;
    const larger = new Uint8Array(bytes);
    larger.set(space.subarray(0, length));
    space = larger;
  }

  return {
    get length() {
      return length;
    },
    expect(bytes) {
      require(length + bytes);
      grow(length + bytes);
    },
    append(chunk) {
      const after = length + chunk.length;
      require(after);
      if (after > space.length) grow(Math.min(maxBytes, Math.max(FIRST, 2 * after)));
      space.set(chunk, length);
      length = after;
    },
    clear() {
      length = 0;
    },
    bytes: () => space.subarray(0, length),
  };
}
