/** Of the error table: who is asking (PROTOCOL.md 9). */
export interface ErrorEntry {
  readonly http: number;
  readonly close: number;
  readonly retryable: boolean;
  readonly remedy: string;
}

export const IDENTITY_ERRORS = {
  unauthenticated: {
    http: 401,
    close: 4401,
    retryable: false,
    remedy: 'Log in with `tributary login URL`, or enrol the node with an invite.',
  },
  forbidden: {
    http: 403,
    close: 4403,
    retryable: false,
    remedy:
      'Ask an administrator for a token with the role that the message names: `tributary tokens create NAME --role ROLE`.',
  },
  'bad-signature': {
    http: 401,
    close: 4402,
    retryable: false,
    remedy:
      'The sender does not hold the key it claims; check the pinned fingerprint with the other side: `tributary doctor` shows it.',
  },
  'bad-frame': {
    http: 400,
    close: 4411,
    retryable: true,
    remedy: 'The session is closed and opens again by itself; if not, `tributary doctor` tests the way.',
  },
  'invite-invalid': {
    http: 403,
    close: 4403,
    retryable: false,
    remedy:
      'This invite is wrong, used or expired; the operator makes a new one with `tributary partners invite NAME`.',
  },
  'wrong-coordinator': {
    http: 421,
    close: 4421,
    retryable: false,
    remedy:
      'The coordinator at this address does not hold the pinned key; do not go on before its operator confirms the fingerprint. `tributary doctor` shows both.',
  },
  superseded: {
    http: 409,
    close: 4408,
    retryable: false,
    remedy:
      'The same identity connected from elsewhere: stop the other node, then `tributary node start` again. If there is none of yours, the key was copied: tell the operator by telephone.',
  },
  'identity-cloned': {
    http: 409,
    close: 4408,
    retryable: false,
    remedy:
      'A copy or an old backup of this state folder is running: stop it. When the operator has checked with you by telephone, `tributary partners resume NAME` lets this node go on.',
  },
  'key-rotated': {
    http: 401,
    close: 4401,
    retryable: false,
    remedy:
      'This key was replaced by a newer one. `tributary node rotate-key` finishes a rotation of your own that was interrupted; if you made none, the key is stolen: telephone the operator.',
  },
} as const satisfies Record<string, ErrorEntry>;
