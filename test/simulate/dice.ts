/** Seeded chance: sfc32 (Chris Doty-Humphrey, PractRand), seeded by FNV-1a of a text. The same everywhere, for ever. */
export interface Dice {
  /** From 0 to below 1. */
  next(): number;
  /** Whole, from 0 to below `n`. */
  below(n: number): number;
  between(least: number, most: number): number;
  chance(p: number): boolean;
  pick<T>(from: readonly T[]): T;
  bytes(count: number): Uint8Array;
}

export function createDice(seed: string): Dice {
  let [a, b, c, counter] = [fnv(`a${seed}`), fnv(`b${seed}`), fnv(`c${seed}`), 1];

  function word(): number {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  }
  for (let i = 0; i < 12; i++) word();

  const next = (): number => word() / 2 ** 32;
  const below = (n: number): number => Math.floor(next() * n);
  return {
    next,
    below,
    between: (least, most) => least + next() * (most - least),
    chance: (p) => next() < p,
    pick: (from) => from[below(from.length)]!,
    bytes: (count) => Uint8Array.from({ length: count }, () => word() & 255),
  };
}

function fnv(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
