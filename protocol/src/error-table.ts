import { type ErrorEntry, IDENTITY_ERRORS } from './error-table-identity.ts';

/**
 * The one error table (PROTOCOL.md 9): every refusal of either side is one of these codes.
 * `http` is the status on `/v1`, `close` the WebSocket close code, `retryable` whether the same request may
 * succeed later unchanged, `remedy` what the reader can do about it.
 */
export const ERRORS = {
  // What was sent is not what the schema says.
  malformed: {
    http: 400,
    close: 4400,
    retryable: false,
    remedy: 'Correct the request: `tributary COMMAND --help` shows the words, PROTOCOL.md the schemas.',
  },
  'too-large': {
    http: 413,
    close: 4413,
    retryable: false,
    remedy: 'Send less; the limit is in the message. `tributary plan check FILE` says what a plan sends.',
  },
  'unsupported-version': {
    http: 426,
    close: 4426,
    retryable: false,
    remedy: 'Upgrade the older side to the same protocol version; `tributary --version` shows this one.',
  },
  'not-found': {
    http: 404,
    close: 4404,
    retryable: false,
    remedy: 'Check the name; `list` shows what exists, as in `tributary runs list`.',
  },
  conflict: {
    http: 409,
    close: 4409,
    retryable: false,
    remedy:
      'Something else holds this name already: look with `tributary partners list` or `tokens list`, and choose another.',
  },
  // Who is asking.
  ...IDENTITY_ERRORS,
  // Plans and policies.
  'plan-invalid': {
    http: 422,
    close: 4422,
    retryable: false,
    remedy: 'Correct the field named in the message, then `tributary plan check FILE`.',
  },
  'model-invalid': {
    http: 422,
    close: 4422,
    retryable: false,
    remedy:
      'Send a safetensors file of finite float32 tensors that fits the plan; `tributary plan check FILE` checks the plan.',
  },
  'policy-refused': {
    http: 403,
    close: 4403,
    retryable: false,
    remedy:
      'Only the partner can change its policy file; the rule and its value are in the message. There, `tributary doctor` says what it means.',
  },
  'approval-pending': {
    http: 202,
    close: 4403,
    retryable: true,
    remedy: 'The partner decides with `tributary node approve HASH`.',
  },
  'stranger-in-roster': {
    http: 403,
    close: 4403,
    retryable: false,
    remedy: 'Check the fingerprints by telephone, then `tributary node members accept NAME`.',
  },
  // Rounds and attempts.
  'cohort-too-large': {
    http: 422,
    close: 4422,
    retryable: false,
    remedy:
      'Lower `cohort.max`: a full pairwise graph is limited to 128 members. Then `tributary plan check FILE`.',
  },
  'cohort-too-small': {
    http: 409,
    close: 4409,
    retryable: true,
    remedy:
      'Wait for more partners (`tributary partners list`), or lower `cohort.min` if every policy allows it.',
  },
  'wrong-phase': {
    http: 409,
    close: 4409,
    retryable: false,
    remedy: 'The attempt has moved on; nothing to do. `tributary runs watch` follows the run.',
  },
  'wrong-attempt': {
    http: 409,
    close: 4409,
    retryable: false,
    remedy: 'This attempt is over; wait for the next announcement. `tributary runs watch` follows the run.',
  },
  late: {
    http: 410,
    close: 4410,
    retryable: false,
    remedy:
      'The phase closed before this arrived; take part in the next round. `tributary doctor` tests a slow connection.',
  },
  'wrong-offset': {
    http: 409,
    close: 4409,
    retryable: true,
    remedy: 'Ask how much is there and send the rest, as nodes do; `tributary doctor` tests the way.',
  },
  'hash-mismatch': {
    http: 422,
    close: 4422,
    retryable: true,
    remedy:
      'The bytes changed on the way; send them again. If it stays, `tributary doctor` shows the proxy in between.',
  },
  'stale-epoch': {
    http: 409,
    close: 4409,
    retryable: false,
    remedy: 'Its operator raises the epoch: `tributary-server restore --in-place --data DIR`.',
  },
  'rolled-back': {
    http: 409,
    close: 4409,
    retryable: false,
    remedy:
      'A backup was restored that is older than what this node has seen. The operator restores a newer one, or starts another run from the newest model: `tributary runs start PLAN --weights FILE`.',
  },
  'stale-announcement': {
    http: 409,
    close: 4409,
    retryable: false,
    remedy:
      'This run, round and attempt was already announced; the coordinator must open a new attempt. `tributary runs show` tells what became of it.',
  },
  'sits-out': {
    http: 409,
    close: 4409,
    retryable: true,
    remedy:
      'This partner already sent a vector on the same base model; it joins again when the model changes. `tributary runs watch` shows when.',
  },
  equivocation: {
    http: 409,
    close: 4409,
    retryable: false,
    remedy:
      'Two different lists were shown for one attempt; stop the node and report it to the coordinator’s operator.',
  },
  'below-threshold': {
    http: 409,
    close: 4409,
    retryable: true,
    remedy:
      'Too few partners remain to unmask safely; a new attempt opens by itself. `tributary partners list` shows who is connected.',
  },
  'bad-share': {
    http: 422,
    close: 4422,
    retryable: false,
    remedy:
      'The dealer of the share is excluded from the next attempt. `tributary runs show` shows the rounds.',
  },
  'sum-corrupt': {
    http: 500,
    close: 4500,
    retryable: true,
    remedy:
      'The unmasked sum failed its sentinels, nothing was published; a new attempt opens by itself. `tributary runs watch` follows it.',
  },
  overflow: {
    http: 422,
    close: 4422,
    retryable: false,
    remedy:
      'Raise the clip or the weight cap in the plan so that the update fits, then `tributary plan check FILE`.',
  },
  'not-finite': {
    http: 422,
    close: 4422,
    retryable: false,
    remedy:
      'Training diverged or the data has gaps: lower the learning rate, check the data; `tributary doctor` tests the engine.',
  },
  'training-failed': {
    http: 500,
    close: 4500,
    retryable: true,
    remedy: 'Read the node’s own lines for the reason, and run `tributary doctor` there.',
  },
  'data-invalid': {
    http: 422,
    close: 4422,
    retryable: false,
    remedy: 'Correct the data file or its declaration in node.yaml, then `tributary doctor`.',
  },
  'timed-out': {
    http: 408,
    close: 4408,
    retryable: true,
    remedy: 'No progress within the patience of the plan; `tributary doctor` tests the connection.',
  },
  // The house.
  'rate-limited': {
    http: 429,
    close: 4429,
    retryable: true,
    remedy: 'Wait as long as Retry-After says, then repeat the command.',
  },
  'already-running': {
    http: 409,
    close: 4409,
    retryable: false,
    remedy:
      'Another process holds this folder; stop it first. `tributary doctor` or `tributary-server doctor` sees it.',
  },
  'storage-failed': {
    http: 507,
    close: 4507,
    retryable: true,
    remedy:
      'Check the disk: space, permissions, health; `tributary doctor` or `tributary-server doctor` looks at them.',
  },
  unavailable: {
    http: 503,
    close: 4503,
    retryable: true,
    remedy:
      'Starting, draining or not reachable: try again, and `tributary doctor` tests each step of the way.',
  },
  internal: {
    http: 500,
    close: 4500,
    retryable: true,
    remedy: 'This is a fault of ours; report it with the log and with `tributary doctor --json`.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;
