/** What a member must see after it has connected again. */
import type { ServerMessage } from '@tributary/protocol';
import * as secagg from '@tributary/protocol/secagg';
import { unsignedBy, withCertificates } from './abandonment.ts';
import type { RunState } from './state.ts';

/** The ends of attempts that it may have missed, and what the open attempt asks of it. */
export function resendTo(state: RunState, member: string): ServerMessage[] {
  const reason = 'The attempt ended without a sum.';
  const ends = unsignedBy(state, member).map(
    (attempt): ServerMessage => ({ type: 'abandoned', attempt, code: 'wrong-attempt', reason }),
  );
  const { stage } = state;
  if (stage.kind !== 'attempt' || stage.open.names[member] === undefined) return ends;
  const asked = secagg.resend(stage.open.secagg, member);
  const requests = asked.map((message) =>
    message.type === 'announce' ? { ...message, ...withCertificates(state) } : message,
  );
  return [...ends, ...requests];
}
