/**
 * Breast Cancer Wisconsin (Diagnostic): 569 fine needle aspirates, 30 measures of their cell nuclei, M or B.
 * W. Wolberg, O. Mangasarian, N. Street, W. Street (1993), UCI Machine Learning Repository, doi 10.24432/C5DW2B, CC BY 4.0.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { seededRandom, shuffled } from './partition/random.ts';
import { invalidData } from './problems.ts';

/** In label order: the model's output is the probability of M. */
export const DIAGNOSES = ['B', 'M'] as const;

/** Rows as they stand in the file. */
export interface CancerRows {
  readonly lines: readonly string[];
  /** Index in `DIAGNOSES`. */
  readonly labels: Uint8Array;
}

export interface Cancer {
  /** Header row of the CSV. */
  readonly header: string;
  readonly train: CancerRows;
  readonly test: CancerRows;
}

const FILE = new URL('../../datasets/breast-cancer.csv', import.meta.url);
/** As client-sdk/datasets/README.md states it. */
const SHA256 = 'e625156c38943b03f749477157b8c1e3aa0e564c4b4705abeadfdc4ace9e2acf';
/** A fifth of each class is for testing, the same rows always: 456 train, 113 test. */
const TEST_SHARE = 0.2;
const TEST_SEED = 569;

/** @throws data-invalid when the file is missing or not what it was */
export async function loadCancer(): Promise<Cancer> {
  const bytes = await readFile(FILE).catch(() => {
    throw invalidData(
      'client-sdk/datasets/breast-cancer.csv cannot be read; restore it from the repository.',
    );
  });
  if (createHash('sha256').update(bytes).digest('hex') !== SHA256)
    throw invalidData('client-sdk/datasets/breast-cancer.csv was changed; restore it from the repository.');
  const [header = '', ...lines] = bytes.toString('utf8').trimEnd().split('\n');
  const labels = lines.map((line) => DIAGNOSES.indexOf(line.at(-1) as (typeof DIAGNOSES)[number]));
  const random = seededRandom(TEST_SEED);
  const test = new Set<number>();
  for (const diagnosis of DIAGNOSES.keys()) {
    const rows = labels.flatMap((label, row) => (label === diagnosis ? [row] : []));
    const share = Math.floor(rows.length * TEST_SHARE);
    for (const row of shuffled(rows, random).slice(0, share)) test.add(row);
  }
  const all = { lines, labels: Uint8Array.from(labels) };
  const numbers = [...lines.keys()];
  return {
    header,
    train: pickRows(
      all,
      numbers.filter((row) => !test.has(row)),
    ),
    test: pickRows(
      all,
      numbers.filter((row) => test.has(row)),
    ),
  };
}

/** The rows of `set` that `indices` names, in that order. */
export function pickRows(set: CancerRows, indices: readonly number[]): CancerRows {
  return {
    lines: indices.map((row) => set.lines[row]!),
    labels: Uint8Array.from(indices, (row) => set.labels[row]!),
  };
}
