/** A digest of what matters in a run's state, cheap enough for every journal entry: a replay must reach the same one. */
import { type Crypto, canonicalBytes, toHex } from '@tributary/protocol';
import { awaited } from '@tributary/protocol/secagg';
import { answeredIn } from './quorum.ts';
import type { RunState } from './state.ts';

export function stateHash(crypto: Crypto, state: RunState): string {
  const { status, head, stage, answers, sittingOut, excluded, attempts, paused, voided, best } = state;
  const open = stage.kind === 'attempt' || stage.kind === 'summing' ? stage.open : null;
  const attempt = open && {
    id: open.secagg.attempt,
    phase: open.secagg.phase,
    answered: answeredIn(open.secagg),
    awaited: awaited(open.secagg),
    bytesUp: open.bytesUp,
  };
  const answered = Object.entries(answers).map(([member, answer]) => [member, answer.kind]);
  const summary = {
    status,
    head,
    stage: stage.kind,
    attempt,
    answered,
    sittingOut,
    excluded,
    attempts,
    ...(paused === undefined ? {} : { paused }),
    ...(voided === undefined
      ? {}
      : { voided: voided.map(({ attempt, signatures }) => [attempt, Object.keys(signatures)]) }),
    best,
  };
  return toHex(crypto.sha256(canonicalBytes(summary)));
}
