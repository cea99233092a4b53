/**
 * From the `data:` of node.yaml to rows ready for training. What goes wrong is told to the partner with file, row,
 * column and the one offending value; that text stays on this machine (see problems.ts).
 */
import { resolve } from 'node:path';
import { type Features, targetOf } from '@tributary/protocol';
import type { CsvFile } from './csv.ts';
import type { DataSource, Dataset, LoadDataset } from './dataset.ts';
import { loadFolder } from './folder.ts';
import { loadIdx } from './idx.ts';
import { invalidData } from './problems.ts';
import { loadSeries } from './series.ts';
import { loadTable } from './table.ts';
import { loadText } from './text.ts';

/** @throws data-invalid, too-large, plan-invalid */
export const loadDataset: LoadDataset = async (source, features, folder) => {
  const at = (path: string) => resolve(folder, path);
  switch (features.kind) {
    case 'image':
      return targeted(await loadImages(source, features, at), features);
    case 'table':
      return loadTable(csvFile(source, features, at), features);
    case 'series':
      return loadSeries(csvFile(source, features, at), features);
    case 'text':
      return loadText(csvFile(source, features, at), features);
  }
};

type Resolve = (path: string) => string;
type ImageFeatures = Extract<Features, { kind: 'image' }>;

function loadImages(source: DataSource, features: ImageFeatures, at: Resolve): Promise<Dataset> {
  switch (source.kind) {
    case 'idx':
      return loadIdx(at(source.images), at(source.labels), features);
    case 'folder':
      return loadFolder(at(source.path), features);
    case 'csv':
      throw wrongKind(source, features);
  }
}

/** Images of an autoencoder lie in files like any other, with a class that is not looked at. */
function targeted(dataset: Dataset, features: Features): Dataset {
  return targetOf(features).kind === 'features' ? { ...dataset, labels: dataset.features } : dataset;
}

function csvFile(source: DataSource, features: Features, at: Resolve): CsvFile {
  if (source.kind !== 'csv') throw wrongKind(source, features);
  return { path: at(source.path), delimiter: source.delimiter };
}

function wrongKind(source: DataSource, features: Features) {
  return invalidData(`The plan wants ${features.kind} data, and these are ${source.kind} files.`);
}
