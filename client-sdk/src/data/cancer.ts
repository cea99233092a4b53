/**
 * Breast Cancer Wisconsin (Diagnostic): 569 fine needle aspirates, 30 measures of their cell nuclei, M or B.
 * W. Wolberg, O. Mangasarian, N. Street, W. Street (1993), UCI Machine Learning Repository, doi 10.24432/C5DW2B, CC BY 4.0.
 */
import { type CsvLines, pickLines, readLines, setAside } from './samples/csv-lines.ts';

/** In label order: the model's output is the probability of M. */
export const DIAGNOSES = ['B', 'M'] as const;

/** As client-sdk/datasets/README.md states it. */
const SHA256 = 'e625156c38943b03f749477157b8c1e3aa0e564c4b4705abeadfdc4ace9e2acf';
/** A fifth of each class is for testing, the same rows always: 456 train, 113 test. */
const TEST_SHARE = 0.2;
const TEST_SEED = 569;

/** @throws data-invalid when the file is missing or not what it was */
export async function loadCancer(): Promise<{ train: CsvLines; test: CsvLines }> {
  const diagnosisOf = (line: string) => DIAGNOSES.indexOf(line.at(-1) as (typeof DIAGNOSES)[number]);
  const all = await readLines('breast-cancer.csv', SHA256, diagnosisOf);
  const { train, test } = setAside(all.labels, TEST_SHARE, TEST_SEED);
  return { train: pickLines(all, train), test: pickLines(all, test) };
}
