/** The data sets of client-sdk/datasets, whose README states source, licence and hash of each. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { invalidData } from '../problems.ts';

const FOLDER = new URL('../../../datasets/', import.meta.url);

/** @throws data-invalid when the file is missing or not what it was */
export async function readShipped(name: string, sha256: string): Promise<Buffer> {
  const bytes = await readFile(new URL(name, FOLDER)).catch(() => {
    throw invalidData(`client-sdk/datasets/${name} cannot be read; restore it from the repository.`);
  });
  if (createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw invalidData(`client-sdk/datasets/${name} was changed; restore it from the repository.`);
  return bytes;
}
