/** Samples as files, for the tests of this folder. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function sampleFile(content: string | Uint8Array, name = 'sample.csv'): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'tributary-plan-')), name);
  await writeFile(path, content);
  return path;
}

/** `count` rows behind `header`; `cell` by row, from 0. */
export function csv(header: string, count: number, row: (at: number) => readonly unknown[], delimiter = ',') {
  const rows = Array.from({ length: count }, (_, at) => row(at).join(delimiter));
  return `${[header, ...rows].join('\n')}\n`;
}

/** A hash of the row that looks random: 0 to 1. */
export function noise(at: number): number {
  return ((Math.imul(at + 1, 0x9e3779b1) >>> 0) % 10_007) / 10_007;
}
