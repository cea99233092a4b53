/** What a file is, from its first bytes, before anything parses it. */
import { open } from 'node:fs/promises';
import { fileProblem } from '../data/problems.ts';
import { sampleProblem } from './finding.ts';

/** Enough for a header row with thousands of columns. */
const FIRST_BYTES = 1 << 20;

export type Sniffed = { readonly kind: 'idx' } | { readonly kind: 'csv'; readonly delimiter: string };

const FOREIGN: readonly (readonly [magic: readonly number[], what: string, remedy: string])[] = [
  [[0x1f, 0x8b], 'is compressed with gzip', 'Unpack it first: gunzip.'],
  [
    [0x50, 0x4b, 0x03, 0x04],
    'is a zip archive or an Excel workbook',
    'Unpack it, or save the sheet as "CSV UTF-8", and pass that file.',
  ],
  [
    [0xd0, 0xcf, 0x11, 0xe0],
    'is an old Excel workbook',
    'Save the sheet as "CSV UTF-8", and pass that file.',
  ],
  [[0x50, 0x41, 0x52, 0x31], 'is a Parquet file', 'Write it as CSV with a header row, and pass that file.'],
  [[0x89, 0x50, 0x4e, 0x47], 'is one image', 'Pass the folder that holds one folder of images per class.'],
  [[0xff, 0xd8, 0xff], 'is one image', 'Pass the folder that holds one folder of images per class.'],
  [[0xff, 0xfe], 'is UTF-16 text', 'Save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > utf8.csv'],
  [[0xfe, 0xff], 'is UTF-16 text', 'Save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > utf8.csv'],
];

/** @throws data-invalid naming what the file is instead of CSV or IDX */
export async function sniff(path: string): Promise<Sniffed> {
  const bytes = await firstBytes(path);
  if (bytes.length === 0) throw sampleProblem(`${path} is empty.`, 'Pass a CSV file with a header and rows.');
  if (bytes[0] === 0 && bytes[1] === 0 && bytes.length >= 4) return { kind: 'idx' };
  const foreign = FOREIGN.find(([magic]) => magic.every((byte, at) => bytes[at] === byte));
  if (foreign) throw sampleProblem(`${path} ${foreign[1]}, not CSV.`, foreign[2]);
  if (bytes.includes(0))
    throw sampleProblem(`${path} is a binary file, not CSV.`, 'Pass a CSV file in UTF-8, with a header row.');
  return { kind: 'csv', delimiter: delimiterOf(bytes.toString('latin1')) };
}

async function firstBytes(path: string): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(FIRST_BYTES), 0, FIRST_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    throw fileProblem(path, thrown);
  }
}

/** The candidate that the header holds most often, outside quotes; a comma where it holds none. */
function delimiterOf(text: string): string {
  const header = text.replace(/"(?:[^"]|"")*"/g, '').split(/\r?\n/, 1)[0] ?? '';
  let best = ',';
  for (const candidate of [',', ';', '\t', '|'])
    if (header.split(candidate).length > header.split(best).length) best = candidate;
  return best;
}

/** As people say it, and as node.yaml wants it. */
export function delimiterName(delimiter: string): string {
  return { ';': 'semicolon', '\t': 'tab', '|': 'vertical bar', ',': 'comma' }[delimiter] ?? delimiter;
}
