/**
 * From the `data:` of node.yaml to rows ready for training. What goes wrong is told to the partner with file, row,
 * column and the one offending value; that text stays on this machine (see problems.ts).
 */
import { resolve } from 'node:path';
import type { Features } from '@tributary/protocol';
import { loadCsv } from './csv.ts';
import type { DataSource, LoadDataset } from './dataset.ts';
import { loadFolder } from './folder.ts';
import { loadIdx } from './idx.ts';
import { invalidData } from './problems.ts';

/** @throws data-invalid, too-large, plan-invalid */
export const loadDataset: LoadDataset = async (source, features, folder) => {
  switch (source.kind) {
    case 'idx':
      return loadIdx(
        resolve(folder, source.images),
        resolve(folder, source.labels),
        featuresOf('image', features, source),
      );
    case 'csv':
      return loadCsv(resolve(folder, source.path), featuresOf('table', features, source), source.delimiter);
    case 'folder':
      return loadFolder(resolve(folder, source.path), featuresOf('image', features, source));
  }
};

function featuresOf<K extends Features['kind']>(
  kind: K,
  features: Features,
  source: DataSource,
): Extract<Features, { kind: K }> {
  if (features.kind !== kind)
    throw invalidData(`The plan wants ${features.kind} data, node.yaml gives ${source.kind} files.`);
  return features as Extract<Features, { kind: K }>;
}
