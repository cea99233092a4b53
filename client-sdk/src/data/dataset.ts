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
  /** Shape of one row: [height, width, channels], [columns], [window, columns] or [words]. */
  readonly shape: readonly number[];
  /** rows x product(shape), row-major; with `windows` steps x columns, from which each row takes its window. */
  readonly features: Float32Array;
  /** rows x values to predict: a class index, a number, or the features themselves. */
  readonly labels: Float32Array;
  /** Rows of a series are windows that overlap; they stand by group, in time order. */
  readonly windows?: Windows;
}

export interface Windows {
  /** The step at which each row begins. */
  readonly starts: Uint32Array;
  /** How many rows each group has, in order: windows never cross groups. */
  readonly groups: readonly number[];
  /** Steps from the last one of a window to its label. */
  readonly horizon: number;
}

export type LoadDataset = (source: DataSource, features: Features, folder: string) => Promise<Dataset>;
