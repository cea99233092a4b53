/** What the demo needs to know of a data set; one file beside this for each. */
import type { DataSource, PartitionScheme } from '@tributary/client-sdk';
import type { Plan } from '@tributary/protocol';

export interface DemoDataset {
  /** Of the whole set, as the first line of a demo says it. */
  readonly opening: string;
  /** What one row is, many of them. */
  readonly rows: string;
  /** That nobody trains on. */
  readonly testRows: number;
  readonly source: string;
  readonly licence: string;
  /** Of the command line, as one would type them. */
  readonly defaults: { readonly '--epochs': string; readonly '--batch': string; readonly '--lr': string };
  /** Of a partner's node.yaml, and of the evaluator's. */
  readonly data: { readonly train: DataSource; readonly test: DataSource };
  /** Partners agree on the constants of the columns first, in one secure sum. */
  readonly agrees: boolean;
  /** Writes a folder with rows for each partner and the evaluator. @returns how many rows each partner got */
  deal(order: Dealing): Promise<readonly number[]>;
  plan(order: PlanOrder): Plan;
}

export interface Dealing {
  readonly partners: number;
  readonly out: string;
  readonly partition: PartitionScheme;
  readonly seed: number;
}

export interface PlanOrder {
  readonly partners: number;
  readonly rounds: number;
  readonly epochs: number;
  readonly batch: number;
  readonly lr: number;
  readonly seed: number;
  readonly holdout: number;
  readonly name: string;
  /** Rows of the partner that has most of them. */
  readonly largest: number;
}
