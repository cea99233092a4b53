/**
 * A partner that is suspended or removed, or whose key was rotated, in the middle of a run (PROTOCOL.md 6.12).
 *
 * Until U3 is frozen it drops out like one that left: it is in no further list, and its vector, if it sent one, is not
 * in the sum. Once U3 is frozen its vector cannot be taken out: the masks of a sum fit one survivor set, and a second
 * one in the same attempt would open single vectors. Then the attempt is void, but for a rotated key, which was good.
 */
import * as secagg from '@tributary/protocol/secagg';
import type { Revocation, RoundInput, Step } from './io.ts';
import { survivorsOf } from './lists.ts';
import { voidAttempt } from './outcome.ts';
import type { OpenAttempt, RunState } from './state.ts';

const WORDS: Readonly<Record<Revocation, string>> = {
  suspended: 'was suspended',
  removed: 'was removed',
  rotated: 'changed its key',
};

export function revoke(before: RunState, input: Extract<RoundInput, { type: 'revoked' }>): Step {
  const { member, why } = input;
  const state = withoutAnswer(before, member);
  const { stage } = state;
  if (stage.kind === 'gathering' || stage.kind === 'ended') return { state, effects: [] };
  const { open } = stage;
  const name = open.names[member];
  if (name === undefined) return { state, effects: [] };
  const reason = `${name} ${WORDS[why]}.`;
  if (survivorsOf(open.secagg).includes(member)) {
    if (why === 'rotated') return { state, effects: [] };
    return voidAttempt(state, open, 'forbidden', `${reason} Its vector is in the sum already.`);
  }
  if (stage.kind === 'summing') return { state, effects: [] };
  const left = secagg.leave(open.secagg, member);
  if (left === open.secagg) return { state, effects: [] };
  const next: OpenAttempt = {
    ...open,
    secagg: left,
    departures: { ...open.departures, [name]: 'forbidden' },
  };
  return {
    state: { ...state, stage: { kind: 'attempt', open: next } },
    effects: [{ type: 'event', kind: 'left', data: { member, name, code: 'forbidden', reason } }],
  };
}

/** Once it is active again, or under its new key, it is asked again. */
function withoutAnswer(state: RunState, member: string): RunState {
  if (state.answers[member] === undefined) return state;
  const { [member]: _, ...answers } = state.answers;
  return { ...state, answers };
}
