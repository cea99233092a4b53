/** What a simulated split was, so that anyone can make it again and see how skewed it is. */
import { formatPartition, type PartitionScheme } from './partition.ts';

export interface PartitionManifest {
  readonly scheme: string;
  readonly seed: number;
  readonly rows: number;
  /** In the order of the partners; `labels[c]` counts the rows of class c. */
  readonly partners: readonly { readonly rows: number; readonly labels: readonly number[] }[];
}

export function describePartition(
  scheme: PartitionScheme,
  seed: number,
  parts: readonly (readonly number[])[],
  labels: ArrayLike<number>,
  classes: number,
): PartitionManifest {
  return {
    scheme: formatPartition(scheme),
    seed,
    rows: labels.length,
    partners: parts.map((rows) => {
      const counts = new Array<number>(classes).fill(0);
      for (const row of rows) counts[labels[row]!]!++;
      return { rows: rows.length, labels: counts };
    }),
  };
}
