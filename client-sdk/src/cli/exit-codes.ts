/** What a script can read from the exit code: one table, shown by `tributary --help`. */
import type { ErrorCode } from '@tributary/protocol';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notAllowed: 3,
  notFound: 4,
  conflict: 5,
  refused: 6,
  unreachable: 7,
  runEnded: 8,
  invalid: 9,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.ok, 'done'],
  [EXIT.failed, 'failed; the message says why'],
  [EXIT.usage, 'the command line is wrong (unknown command, option or value), or node.yaml is'],
  [EXIT.notAllowed, 'not logged in, not allowed, wrong key or wrong passphrase'],
  [EXIT.notFound, 'there is no such file, run, partner or plan'],
  [EXIT.conflict, 'the name is taken, or something else holds it'],
  [EXIT.refused, "a partner's policy says no, or asks its owner first"],
  [EXIT.unreachable, 'the coordinator does not answer; try again'],
  [EXIT.runEnded, 'the run that was watched failed or was cancelled'],
  [EXIT.invalid, 'a plan, a model or a data file is not valid'],
  [EXIT.interrupted, 'stopped by Ctrl-C'],
];

const BY_ERROR = {
  malformed: EXIT.usage,
  'too-large': EXIT.invalid,
  'unsupported-version': EXIT.failed,
  'not-found': EXIT.notFound,
  conflict: EXIT.conflict,
  unauthenticated: EXIT.notAllowed,
  forbidden: EXIT.notAllowed,
  'bad-signature': EXIT.notAllowed,
  'bad-frame': EXIT.failed,
  'invite-invalid': EXIT.notAllowed,
  'wrong-coordinator': EXIT.notAllowed,
  superseded: EXIT.conflict,
  'identity-cloned': EXIT.conflict,
  'key-rotated': EXIT.notAllowed,
  'plan-invalid': EXIT.invalid,
  'model-invalid': EXIT.invalid,
  'policy-refused': EXIT.refused,
  'approval-pending': EXIT.refused,
  'stranger-in-roster': EXIT.refused,
  'cohort-too-large': EXIT.invalid,
  'cohort-too-small': EXIT.conflict,
  'wrong-phase': EXIT.conflict,
  'wrong-attempt': EXIT.conflict,
  late: EXIT.conflict,
  'wrong-offset': EXIT.failed,
  'hash-mismatch': EXIT.failed,
  'stale-epoch': EXIT.conflict,
  'rolled-back': EXIT.conflict,
  'stale-announcement': EXIT.conflict,
  'sits-out': EXIT.conflict,
  equivocation: EXIT.conflict,
  'below-threshold': EXIT.failed,
  'bad-share': EXIT.failed,
  'sum-corrupt': EXIT.failed,
  overflow: EXIT.invalid,
  'not-finite': EXIT.failed,
  'training-failed': EXIT.failed,
  'data-invalid': EXIT.invalid,
  'timed-out': EXIT.unreachable,
  'rate-limited': EXIT.unreachable,
  'already-running': EXIT.conflict,
  'storage-failed': EXIT.failed,
  unavailable: EXIT.unreachable,
  internal: EXIT.failed,
} as const satisfies Record<ErrorCode, ExitCode>;

export function exitCodeOf(code: ErrorCode): ExitCode {
  return BY_ERROR[code];
}
