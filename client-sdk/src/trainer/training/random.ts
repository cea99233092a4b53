/** Seeded randomness of local training. Not cryptographic: the 32-byte seeds it starts from are. */
import type { Dataset, Windows } from '../../data/dataset.ts';

export interface Random {
  /** 0 <= x < 1, 32 bits. */
  next(): number;
  /** 0 <= n < bound */
  below(bound: number): number;
}

/** xoshiro128** (Blackman and Vigna 2018) over the first 16 bytes of the seed, folded with the rest. */
export function seededRandom(seed: Uint8Array): Random {
  const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef];
  for (let word = 0; word + 4 <= seed.byteLength; word += 4)
    state[(word / 4) % 4] = Math.imul(state[(word / 4) % 4]!, 0x85ebca6b) ^ view.getUint32(word, true);
  let [a, b, c, d] = state as [number, number, number, number];
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result / 2 ** 32;
  };
  for (let warm = 0; warm < 16; warm += 1) next();
  return { next, below: (bound) => Math.floor(next() * bound) };
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** Fisher-Yates, in place. */
export function shuffle(order: Uint32Array, random: Random): void {
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = random.below(last + 1);
    const moved = order[last]!;
    order[last] = order[other]!;
    order[other] = moved;
  }
}

export interface Split {
  readonly train: Uint32Array;
  readonly holdout: Uint32Array;
}

/**
 * Which rows a plan's share holds out: max(1, floor(rows * share)), drawn by the seed; of a series the last ones in time.
 * The same for the same seed, share and rows.
 */
export function splitRows({ rows, windows }: Rows, share: number, splitSeed: Uint8Array): Split {
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  if (share === 0) return { train: order, holdout: order.subarray(0, 0) };
  const held = Math.min(rows, Math.max(1, Math.floor(rows * share)));
  if (windows) return splitWindows(windows, held);
  shuffle(order, seededRandom(splitSeed));
  return { train: order.slice(held).sort(), holdout: order.slice(0, held).sort() };
}

type Rows = Pick<Dataset, 'rows' | 'windows'>;

/**
 * `held` rows, from every group its last ones in proportion. When the first of them is forecast, at the end of its
 * window, nothing later may have been learnt: rows of its group whose label lies behind that are left out of both.
 */
function splitWindows({ starts, groups, horizon }: Windows, held: number): Split {
  const train: number[] = [];
  const holdout: number[] = [];
  let end = 0;
  for (const count of groups) {
    const first = end;
    end += count;
    const heldSoFar = Math.floor((end * held) / starts.length);
    const from = end - (heldSoFar - holdout.length);
    for (let row = from; row < end; row += 1) holdout.push(row);
    const known = from < end ? starts[from]! - horizon : Number.POSITIVE_INFINITY;
    for (let row = first; row < from; row += 1) if (starts[row]! <= known) train.push(row);
  }
  return { train: Uint32Array.from(train), holdout: Uint32Array.from(holdout) };
}
