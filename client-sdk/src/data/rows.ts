/** Rows of a number not known before, side by side in one buffer that doubles. */
import { MAX_FLOATS, requireRoom } from './problems.ts';

export interface GrowingRows {
  /** Values of one row. */
  readonly width: number;
  readonly count: number;
  /** Holds more than `count` rows; another one whenever it grows. */
  readonly values: Float32Array;
  /** Makes room for one row, which counts from now on, and returns where in `values` it starts. */
  add(): number;
  /** count x width */
  trimmed(): Float32Array;
}

/** @param path is named when there are too many of them */
export function growingRows(width: number, path: string): GrowingRows {
  let values = new Float32Array(width);
  let count = 0;
  return {
    width,
    get count() {
      return count;
    },
    get values() {
      return values;
    },
    add() {
      const at = count * width;
      count += 1;
      if (at + width > values.length) {
        requireRoom(count, width, path);
        const larger = new Float32Array(Math.min(2 * values.length, MAX_FLOATS));
        larger.set(values);
        values = larger;
      }
      return at;
    },
    trimmed: () => values.slice(0, count * width),
  };
}
