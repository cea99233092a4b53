/** Attempts that ended without a sum (PROTOCOL.md 6.11): what this node signs of them, and what it believes of others. */
import { type AbandonCertificate, asTributaryError, type Crypto, TributaryError } from '@tributary/protocol';
import {
  type Abandonment,
  abandonmentOf,
  requireAbandoned,
  signAbandonment,
} from '@tributary/protocol/secagg';
import { type Effect, type SessionContext, type Step, send, warn } from './io.ts';
import { type AttemptRecord, noted } from './ledger.ts';
import type { LiveAttempt, SessionState } from './state.ts';

/** Attempts remembered, so that `abandoned` may come late or twice. */
const REMEMBERED = 64;

/** Before the attempt is left and its shares are wiped. */
export function renounce({ renounced }: SessionState, { secagg }: LiveAttempt): SessionState['renounced'] {
  const abandonment = abandonmentOf(secagg);
  if (!abandonment) return renounced;
  return new Map([...renounced, [secagg.attempt, abandonment] as const].slice(-REMEMBERED));
}

/** The answer to `abandoned`: a signature where no share was revealed, else nothing. */
export function abandon(
  { renounced }: SessionState,
  attempt: string,
  { crypto, identity }: SessionContext,
): Effect[] {
  const abandonment = renounced.get(attempt);
  if (!abandonment) return [];
  return [send({ type: 'abandon', attempt, signature: signAbandonment(crypto, identity, abandonment) })];
}

/**
 * Takes what is certified out of what this node must sit out for, durably before it goes on.
 * @param of the attempt that is announced with the certificates
 */
export function believe(
  state: SessionState,
  certificates: readonly AbandonCertificate[],
  of: string,
  now: number,
  { crypto, coordinator, former = [] }: SessionContext,
): Step {
  let { ledger } = state;
  const effects: Effect[] = [];
  for (const { attempt: id, signatures } of certificates) {
    const vector = ledger.sent.get(id);
    if (!vector?.quorum) continue;
    const { roster, members, needed } = vector.quorum;
    // Each signature names the key that the attempt was opened under: one of them at most has enough.
    const under = [...former, coordinator].map(
      (key): Abandonment => ({ coordinator: key, announcement: id, roster }),
    );
    try {
      const signers = signersOf(crypto, under, { members, quorum: needed }, signatures);
      const { run, round, attempt, epoch } = vector;
      const record: AttemptRecord = { type: 'certified', time: now, run, round, attempt, epoch, id, signers };
      ledger = noted(ledger, record);
      effects.push({ type: 'append', record, of });
    } catch (thrown) {
      const { code, message } = asTributaryError(thrown);
      effects.push(warn(code, message));
    }
  }
  return { state: { ...state, ledger }, effects };
}

/** @throws below-threshold */
function signersOf(
  crypto: Crypto,
  under: readonly Abandonment[],
  needed: Parameters<typeof requireAbandoned>[2],
  signatures: AbandonCertificate['signatures'],
): string[] {
  const [first, ...others] = under;
  if (!first) throw new TributaryError('below-threshold', 'Nobody signed that the attempt is abandoned.');
  if (others.length === 0) return requireAbandoned(crypto, first, needed, signatures);
  try {
    return requireAbandoned(crypto, first, needed, signatures);
  } catch {
    return signersOf(crypto, others, needed, signatures);
  }
}
