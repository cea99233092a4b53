/** An invariant of Tributary, the edit that breaks it, and the test that must notice. */
export interface Mutant {
  readonly name: string;
  /** What holds without the edit, in one sentence. */
  readonly invariant: string;
  /** From the repository's root. */
  readonly file: string;
  /** Occurs exactly once in `file`. */
  readonly find: string;
  readonly replace: string;
  readonly test: {
    /** Runs from the sources of its own package; of other packages it sees what was built, without the edit. */
    readonly file: string;
    /** In the titles of the tests that must fail; a table of cases has the part that all share. */
    readonly name: string;
    /** Where that title is written, when a suite is shared. */
    readonly suite?: string;
  };
}
