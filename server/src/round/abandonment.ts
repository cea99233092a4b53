/** Certificates that a void attempt is abandoned (PROTOCOL.md 6.11): who sent a vector in it may send another. */
import { type AbandonCertificate, TributaryError } from '@tributary/protocol';
import { type AbandonSignature, abandonQuorum, verifyAbandonment } from '@tributary/protocol/secagg';
import type { RoundContext, RoundInput, Step } from './io.ts';
import { rosterOf } from './lists.ts';
import type { OpenAttempt, RunState, VoidAttempt } from './state.ts';

/** Where vectors may have been sent, the members of U1 are asked to abandon the attempt. */
export function noteVoid(state: RunState, { secagg }: OpenAttempt): Pick<RunState, 'voided'> {
  if (!('updates' in secagg) || state.plan.aggregation.mode !== 'secure') return {};
  const members = rosterOf(secagg);
  const c = state.plan.aggregation.collusion;
  const ended: VoidAttempt = {
    attempt: secagg.attempt,
    roster: secagg.roster.hash,
    members,
    sent: Object.keys(secagg.updates),
    quorum: abandonQuorum({ n: members.length, t: secagg.threshold, c }),
    signatures: {},
  };
  return { voided: [...(state.voided ?? []), ended] };
}

/** @throws wrong-attempt, bad-signature */
export function receiveAbandonment(
  state: RunState,
  { member, message }: Extract<RoundInput, { type: 'abandon' }>,
  { crypto, identity }: RoundContext,
): Step {
  const { attempt, signature } = message;
  const ended = state.voided?.find((other) => other.attempt === attempt);
  // Nobody had sent a vector in it, or the model has moved on.
  if (!ended) return { state, effects: [] };
  if (!ended.members.includes(member))
    throw new TributaryError('wrong-attempt', `Attempt ${attempt.slice(0, 12)} had no such member.`);
  if (ended.signatures[member] !== undefined) return { state, effects: [] };
  const coordinator = ended.coordinator ?? identity.id;
  const abandonment = { coordinator, announcement: attempt, roster: ended.roster };
  if (!verifyAbandonment(crypto, abandonment, { member, signature }))
    throw new TributaryError(
      'bad-signature',
      `The abandonment of attempt ${attempt.slice(0, 12)} is not signed.`,
    );
  const more: VoidAttempt = { ...ended, signatures: { ...ended.signatures, [member]: signature } };
  const open = 'open' in state.stage ? state.stage.open : null;
  const signed =
    open && isCertified(more) && !isCertified(ended) ? { ...more, certifiedIn: open.secagg.attempt } : more;
  const voided = state.voided!.map((other) => (other === ended ? signed : other));
  // Whose upload was under way has said so only by sitting out: with each signature it is asked again.
  const sittingOut = isCertified(signed) ? [] : state.sittingOut;
  return { state: { ...state, voided, sittingOut }, effects: [] };
}

function isCertified({ signatures, quorum }: VoidAttempt): boolean {
  return Object.keys(signatures).length >= quorum;
}

/** Who sits out of this attempt is asked again: a certificate that its announcement had not came since. */
export function isCertifiedSince({ voided = [] }: RunState, { secagg }: OpenAttempt): boolean {
  return voided.some(({ certifiedIn }) => certifiedIn === secagg.attempt);
}

/** Members whose vector may still count for something: they would refuse to send another. */
export function uncertified({ voided = [] }: RunState): string[] {
  return voided.filter((ended) => !isCertified(ended)).flatMap(({ sent }) => sent);
}

/** For an announcement, also one that is repeated. */
export function withCertificates({ voided = [] }: RunState): { certificates?: AbandonCertificate[] } {
  const certificates = voided.filter(isCertified).map(({ attempt, signatures }) => ({
    attempt,
    signatures: Object.entries(signatures).map(
      ([member, signature]): AbandonSignature => ({ member, signature }),
    ),
  }));
  return certificates.length > 0 ? { certificates } : {};
}

/** Void attempts that this member has not abandoned yet: it may not have heard of their end. */
export function unsignedBy({ voided = [] }: RunState, member: string): string[] {
  return voided
    .filter(({ members, signatures }) => members.includes(member) && signatures[member] === undefined)
    .map(({ attempt }) => attempt);
}
