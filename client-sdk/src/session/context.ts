import type { ClientContext } from '@tributary/protocol/secagg';
import type { SessionContext } from './io.ts';
import type { SessionState } from './state.ts';

/** What the secure-aggregation machine needs of the session. Evaluators never get there: every floor is out of reach. */
export function secaggContext(state: SessionState, context: SessionContext): ClientContext {
  const { crypto, identity, policy } = context;
  const floors =
    policy.role === 'partner'
      ? { minRoster: policy.minRoster, minSum: policy.minSum, collusion: policy.collusion }
      : { minRoster: Infinity, minSum: Infinity, collusion: 1 };
  const allowPlain = policy.role === 'partner' && policy.aggregation === 'allow-plain';
  return { crypto, identity, floors, pinned: state.pinned, allowPlain };
}
