/** What was seen of an attempt from outside. */
import type { Announcement } from '@tributary/protocol';

export interface KnownAttempt {
  readonly id: string;
  readonly announcement: Announcement;
  readonly announced: number;
  /** Canonical JSON of the only list of each kind. */
  readonly lists: Map<'roster' | 'cohort' | 'survivors', string>;
  /** Member to the hash of its one vector. */
  readonly vectors: Map<string, string>;
  readonly acknowledged: Set<string>;
  /** Who took its vector back before U3 was frozen, or was suspended: its vector is in no sum. */
  readonly withdrawn: Set<string>;
  /** The same, or U3 was frozen just before: its vector is in the sum or not. */
  readonly maybeWithdrawn: Set<string>;
  /** Nodes whose deals left, who revealed shares, who signed that they never will. */
  readonly dealt: Set<number>;
  readonly revealed: Set<number>;
  readonly abandoned: Set<number>;
  /** `node/member` to the kind of share. */
  readonly shares: Map<string, 'seed' | 'mask key'>;
}
