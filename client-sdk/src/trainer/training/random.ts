/** Seeded randomness of local training. Not cryptographic: the 32-byte seeds it starts from are. */

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

/** The same rows for the same seed, share and row count; at least one row is held out when the share is above 0. */
export function splitRows(rows: number, share: number, splitSeed: Uint8Array): Split {
  const order = Uint32Array.from({ length: rows }, (_, row) => row);
  if (share === 0) return { train: order, holdout: order.subarray(0, 0) };
  shuffle(order, seededRandom(splitSeed));
  const held = Math.min(rows, Math.max(1, Math.floor(rows * share)));
  return { train: order.slice(held).sort(), holdout: order.slice(0, held).sort() };
}
