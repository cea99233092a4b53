import type { Io } from './io.ts';

/** What every command gets. */
export interface Context {
  readonly io: Io;
  /** `--json`: standard output carries JSON and nothing else. */
  readonly json: boolean;
}
