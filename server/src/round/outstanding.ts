/**
 * What a recovered state is still owed. Replay carries nothing out, so whatever was asked for before a crash may not have
 * happened; each of these may safely happen again. Members get theirs when they reconnect (`secagg.resend`).
 */
import * as secagg from '@tributary/protocol/secagg';
import { sumEffect } from './attempt.ts';
import type { Effect, RoundContext } from './io.ts';
import { survivorsOf } from './lists.ts';
import type { RunState } from './state.ts';

export function outstanding({ stage }: RunState, context: RoundContext): readonly Effect[] {
  switch (stage.kind) {
    case 'gathering':
    case 'ended':
      return [];
    case 'attempt': {
      const { attempt } = stage.open.secagg;
      return updatesOf(stage.open.secagg).map(({ member }) => ({ type: 'fold', attempt, member }));
    }
    case 'summing': {
      // The same shares give the same order: the sum is recomputed bit by bit.
      const result = secagg.reconstruct(stage.open.secagg, context);
      return result.kind === 'order' ? [sumEffect(stage.open, result.order)] : [];
    }
  }
}

/** Hash of the announcement of the attempt that is open. */
export function openAttemptOf({ stage }: RunState): string | undefined {
  return stage.kind === 'attempt' || stage.kind === 'summing' ? stage.open.secagg.attempt : undefined;
}

interface DurableUpdate {
  readonly member: string;
  readonly sha256: string;
}

/** Updates that were acknowledged in this attempt, and still count. */
export function updatesOf(attempt: secagg.ServerAttempt): readonly DurableUpdate[] {
  if (!('updates' in attempt)) return [];
  const counted = 'survivors' in attempt ? survivorsOf(attempt) : Object.keys(attempt.updates);
  return counted.map((member) => ({ member, sha256: attempt.updates[member]! }));
}
