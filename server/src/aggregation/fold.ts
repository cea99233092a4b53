/**
 * Accumulators of open attempts. An update is added as soon as it is durable; addition mod 2^32 commutes, so the partial
 * sum is a cache that can always be rebuilt from the spool, never the truth. Runs inside the aggregation worker.
 */
import { TributaryError } from '@tributary/protocol';
import { type Accumulator, createAccumulator } from '@tributary/protocol/ring';
import { type OpenForReading, openOnDisk } from './files.ts';

interface Fold {
  readonly accumulator: Accumulator;
  readonly members: Set<string>;
}

export interface Update {
  readonly member: string;
  readonly path: string;
}

/** Large enough that a read costs little, small enough for the second-level cache. */
const CHUNK = 256 * 1024;

export interface Folds {
  add(attempt: string, length: number, update: Update): void;
  /** The sum over exactly `survivors`. The caller may change it, and gives it back; the attempt is forgotten. */
  take(attempt: string, length: number, survivors: readonly Update[]): Accumulator;
  /** Keeps one accumulator for the next attempt: WASM memory is given back to the system late, or never. */
  giveBack(accumulator: Accumulator): void;
  discard(attempt: string): void;
}

export function createFolds(openFile: OpenForReading = openOnDisk): Folds {
  const folds = new Map<string, Fold>();
  const chunk = Buffer.allocUnsafe(CHUNK);
  let spare: Accumulator | null = null;

  function create(length: number): Accumulator {
    const reused = spare?.words.length === length ? spare : null;
    spare = null;
    reused?.words.fill(0);
    return reused ?? createAccumulator(length);
  }

  function open(attempt: string, length: number): Fold {
    let fold = folds.get(attempt);
    if (!fold) {
      fold = { accumulator: create(length), members: new Set() };
      folds.set(attempt, fold);
    }
    return fold;
  }

  function add(attempt: string, length: number, { member, path }: Update): void {
    const { accumulator, members } = open(attempt, length);
    if (members.has(member)) return;
    try {
      addFile(accumulator, length, path);
    } catch (error) {
      folds.delete(attempt); // a half-added file cannot be taken back: fold again from the spool
      throw error;
    }
    members.add(member);
  }

  function addFile(accumulator: Accumulator, length: number, path: string): void {
    const file = openFile(path);
    try {
      let words = 0;
      for (;;) {
        let filled = 0;
        while (filled < CHUNK) {
          const read = file.read(chunk.subarray(filled), 4 * words + filled);
          if (read === 0) break;
          filled += read;
        }
        if (filled > 0) accumulator.add(chunk.subarray(0, filled), words);
        words += filled / 4;
        if (filled < CHUNK) break;
      }
      if (words !== length)
        throw new TributaryError(
          'storage-failed',
          `An update of ${words} words is on disk; ${length} were accepted.`,
        );
    } finally {
      file.close();
    }
  }

  return {
    add,
    take(attempt, length, survivors) {
      const wanted = new Set(survivors.map((update) => update.member));
      const { members } = open(attempt, length);
      if ([...members].some((member) => !wanted.has(member))) folds.delete(attempt);
      for (const update of survivors) add(attempt, length, update);
      const { accumulator } = open(attempt, length);
      folds.delete(attempt);
      return accumulator;
    },
    giveBack(accumulator) {
      spare = accumulator;
    },
    discard(attempt) {
      spare = folds.get(attempt)?.accumulator ?? spare;
      folds.delete(attempt);
    },
  };
}
