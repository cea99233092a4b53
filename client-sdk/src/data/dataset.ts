import type { Features } from '@tributary/protocol';

/** Where a partner's private rows lie, as `data:` in node.yaml says. Paths are relative to that file. */
export type DataSource =
  | { readonly kind: 'idx'; readonly images: string; readonly labels: string }
  | { readonly kind: 'csv'; readonly path: string; readonly delimiter?: string }
  /** One folder per class, named as in the plan's `classes`, holding PNG or JPEG files. */
  | { readonly kind: 'folder'; readonly path: string };

/** Rows ready for training: the plan's transforms are applied. */
export interface Dataset {
  readonly rows: number;
  /** Shape of one row: [height, width, channels] or [columns]. */
  readonly shape: readonly number[];
  /** rows x product(shape), row-major. */
  readonly features: Float32Array;
  /** One value per row: class index, or the number to predict. */
  readonly labels: Float32Array;
}

export type LoadDataset = (source: DataSource, features: Features, folder: string) => Promise<Dataset>;
