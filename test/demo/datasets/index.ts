/** Data sets of the demo, by the word of `--dataset`. */
import { cancer } from './cancer.ts';
import { digits } from './digits.ts';
import type { DemoDataset } from './port.ts';

export const DATASETS = { digits, cancer } satisfies Record<string, DemoDataset>;
export type DatasetName = keyof typeof DATASETS;

export function datasetOf({ dataset }: { readonly dataset: DatasetName }): DemoDataset {
  return DATASETS[dataset];
}
