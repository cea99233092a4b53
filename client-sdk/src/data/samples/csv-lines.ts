/** A shipped CSV file as its lines, whole: what is dealt to partners is what stands in it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom, shuffled } from '../partition/random.ts';
import type { SampleRows } from './deal.ts';
import { readShipped } from './shipped.ts';

export interface CsvLines {
  /** Header row of the CSV. */
  readonly header: string;
  readonly lines: readonly string[];
  /** Class of each line. */
  readonly labels: Uint8Array;
}

/** @param classOf the class of a line. @throws data-invalid when the file is not what it was */
export async function readLines(
  name: string,
  sha256: string,
  classOf: (line: string) => number,
): Promise<CsvLines> {
  const [header = '', ...lines] = (await readShipped(name, sha256)).toString('utf8').trimEnd().split('\n');
  return { header, lines, labels: Uint8Array.from(lines, classOf) };
}

/** The rows of `set` that `indices` names, in that order. */
export function pickLines(set: CsvLines, indices: readonly number[]): CsvLines {
  return {
    header: set.header,
    lines: indices.map((row) => set.lines[row]!),
    labels: Uint8Array.from(indices, (row) => set.labels[row]!),
  };
}

/** Sets `share` of each class aside for testing: the same rows always. */
export function setAside(labels: Uint8Array, share: number, seed: number) {
  const random = seededRandom(seed);
  const test = new Set<number>();
  for (let label = 0; label <= Math.max(...labels); label += 1) {
    const rows = [...labels.keys()].filter((row) => labels[row] === label);
    for (const row of shuffled(rows, random).slice(0, Math.floor(rows.length * share))) test.add(row);
  }
  const rows = [...labels.keys()];
  return { train: rows.filter((row) => !test.has(row)), test: rows.filter((row) => test.has(row)) };
}

export function csvRows(set: CsvLines): SampleRows {
  return {
    labels: set.labels,
    async write(folder, name, which) {
      const path = `${name}.csv`;
      await writeFile(join(folder, path), `${[set.header, ...pickLines(set, which).lines].join('\n')}\n`);
      return { kind: 'csv', path };
    },
  };
}
