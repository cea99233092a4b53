/** Texts: one column of a CSV file, its words hashed to ids (PROTOCOL.md 5.4). */
import type { Features } from '@tributary/protocol';
import { classReader } from './cells.ts';
import { type CsvFile, readCsv } from './csv.ts';
import type { Dataset } from './dataset.ts';
import { growingRows } from './rows.ts';

type TextFeatures = Extract<Features, { kind: 'text' }>;

export async function loadText(file: CsvFile, features: TextFeatures): Promise<Dataset> {
  const { column, length, buckets, label } = features;
  const rows = growingRows(length, file.path);
  const labels: number[] = [];
  await readCsv(file, (table) => {
    const position = table.position(column);
    const readLabel = classReader(table, label);
    return (cells) => {
      const cell = cells[position]!;
      if (cell === '') throw table.refusal(column, cell, 'is missing');
      const at = rows.add();
      // A buffer that is new has zeros behind the last row, which is the padding.
      for (const [i, word] of wordsOf(cell, length).entries()) rows.values[at + i] = wordId(word, buckets);
      labels.push(readLabel(cells));
    };
  });
  return { rows: rows.count, shape: [length], features: rows.trimmed(), labels: Float32Array.from(labels) };
}

/** Letters with their marks, and digits: in several scripts a word without its marks is another word. */
const WORD = /[\p{L}\p{M}\p{N}]+/gu;

/** The first `limit` words, in compatibility form (NFKC) and lower case. */
export function wordsOf(text: string, limit: number): string[] {
  const words: string[] = [];
  for (const [word] of text.normalize('NFKC').toLowerCase().matchAll(WORD)) {
    if (words.length === limit) break;
    words.push(word);
  }
  return words;
}

const utf8 = new TextEncoder();

/** 1 + FNV-1a-32 (draft-eastlake-fnv) of the word in UTF-8, mod `buckets`; 0 is the padding. */
export function wordId(word: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (const byte of utf8.encode(word)) hash = Math.imul(hash ^ byte, 0x01000193);
  return 1 + ((hash >>> 0) % buckets);
}
