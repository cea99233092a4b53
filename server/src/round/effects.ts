import type { ServerMessage } from '@tributary/protocol';
import type { Effect } from './io.ts';
import type { OpenAttempt, RunState } from './state.ts';

export function send(to: readonly string[], message: ServerMessage): Effect {
  return { type: 'send', to, message };
}

export function phaseEvent(state: RunState, open: OpenAttempt): Effect {
  const data = { phase: open.secagg.phase, round: state.head.round + 1, attempt: open.number };
  return { type: 'event', kind: 'phase', data };
}
