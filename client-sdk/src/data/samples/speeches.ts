/** Sentences of State of the Union addresses (public domain) from before 1861 and after 1945, 1,000 of each. */
import { type CsvLines, pickLines, readLines, setAside } from './csv-lines.ts';

export const ERAS = ['before 1861', 'after 1945'] as const;

const SHA256 = '8d6fed57700a128df79b4502b0e4e39f133c082f3c13ba806e102ca5f7115ea9';

/** A fifth of each era is for testing: 1,600 train, 400 test. @throws data-invalid */
export async function loadSpeeches(): Promise<{ train: CsvLines; test: CsvLines }> {
  const eraOf = (line: string) => ERAS.indexOf(line.split(',', 2)[1] as (typeof ERAS)[number]);
  const all = await readLines('speeches.csv', SHA256, eraOf);
  const { train, test } = setAside(all.labels, 0.2, 1861);
  return { train: pickLines(all, train), test: pickLines(all, test) };
}
