/** A backup against its manifest. */
import { join } from 'node:path';
import { type Finding, failed, fine } from '@tributary/protocol';
import { hashOf } from '../at-rest/reader.ts';
import { misfit } from './files.ts';
import { readManifest } from './manifest.ts';

export async function backupFindings(folder: string): Promise<Finding[]> {
  const { files, created } = await readManifest(folder);
  const wrong: Finding[] = [];
  for (const { path, bytes, sha256 } of files) {
    const file = join(folder, path);
    const found = (await misfit(file, bytes)) ?? (await hashOf(file).catch(() => null));
    if (found === sha256) continue;
    const why = found === null ? 'is missing or cannot be read' : 'is not what was backed up';
    wrong.push(failed('backup', `${path} ${why}.`, 'Take another backup, or another copy of this file.'));
  }
  return wrong.length > 0
    ? wrong
    : [fine('backup', `${files.length} files as of ${created}, all as they were`)];
}
