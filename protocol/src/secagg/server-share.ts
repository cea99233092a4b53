/** The coordinator's attempt from U1 to U3: deals, U2, masked vectors, U3 (PROTOCOL.md 6.4 to 6.6). */
import type { Crypto } from '../crypto/port.ts';
import { canonicalJson } from '../encoding.ts';
import { requireSignature } from '../identity.ts';
import { FLOORS } from '../limits.ts';
import { requireBinding } from './binding.ts';
import { NO_COMMITMENT } from './keys.ts';
import { bindingOf, type Freeze, failed, freeze } from './server-machine.ts';
import type { Agreeing, Unmasking, Uploading } from './server-state.ts';
import {
  cohortMembers,
  isSecure,
  outOfPhase,
  present,
  refusal,
  requirePresent,
  rosterMembers,
  type ServerAttempt,
  type ServerContext,
  type Sharing,
} from './server-state.ts';
import type { Cohort, SignedDeal, Survivors } from './statements.ts';
import { cohortFloor, survivorFloor } from './thresholds.ts';

/**
 * One deal for every other member of U1; none in plain mode, where the empty list says "I saw U1".
 * @throws wrong-phase, late, wrong-attempt, conflict, malformed, bad-signature
 */
export function receiveDeals(
  state: ServerAttempt,
  { crypto }: ServerContext,
  member: string,
  deals: readonly SignedDeal[],
): ServerAttempt {
  const known = state.phase === 'advertise' ? undefined : state.deals[member];
  if (known && canonicalJson(known) === canonicalJson(deals)) return state;
  if (state.phase !== 'share') throw outOfPhase(state, member, 'share', 'A deal');
  requirePresent(state, member, 'A deal');
  if (known) throw refusal('conflict', state, member, 'a member deals once');
  checkDeals(state, crypto, member, deals);
  return { ...state, deals: { ...state.deals, [member]: deals } };
}

function checkDeals(state: Sharing, crypto: Crypto, dealer: string, deals: readonly SignedDeal[]): void {
  const receivers = new Set(isSecure(state) ? rosterMembers(state) : []);
  receivers.delete(dealer);
  const expected = receivers.size;
  const binding = { ...bindingOf(state), roster: state.roster.hash };
  for (const { deal, signature } of deals) {
    if (!receivers.delete(deal.receiver))
      throw refusal(
        'malformed',
        state,
        dealer,
        `one deal for each other member of U1, not for ${deal.receiver}`,
      );
    if (deal.dealer !== dealer)
      throw refusal(
        'bad-signature',
        state,
        dealer,
        `the deal for ${deal.receiver} names dealer ${deal.dealer}`,
      );
    const what = `The deal of ${dealer} for ${deal.receiver}`;
    requireBinding(binding, deal, what);
    if (deal.seedCommitment !== deals[0]!.deal.seedCommitment)
      throw refusal('malformed', state, dealer, 'all deals of a member commit to one seed');
    requireSignature(crypto, dealer, 'shares', deal, signature, what);
  }
  if (receivers.size > 0)
    throw refusal('malformed', state, dealer, `U1 needs ${expected} deals, ${deals.length} came`);
}

/** U2: all whose deals arrived and who did not leave. Fails with below-threshold. @throws wrong-phase before U1 */
export function freezeCohort(
  state: ServerAttempt,
  context: ServerContext,
  { minimum }: { minimum: number } = { minimum: FLOORS.members },
): Freeze<{ cohort: Cohort; signature: string }> {
  if (state.phase === 'advertise') throw outOfPhase(state, 'the coordinator', 'share', 'Freezing U2');
  if (state.phase !== 'share') {
    const { statement, signature } = state.cohort;
    return { kind: 'frozen', state, cohort: statement, signature };
  }
  const members = present(state).filter((member) => state.deals[member]);
  const floor = cohortFloor({ t: state.threshold, minRoster: minimum });
  if (members.length < floor)
    return failed(
      'below-threshold',
      `U2 would have ${members.length} members, max(t = ${state.threshold}, minimum = ${minimum}) is ${floor}.`,
    );
  const cohort = freeze(context, 'cohort', {
    ...bindingOf(state),
    roster: state.roster.hash,
    members: members.map((member) => ({
      member,
      seedCommitment: state.deals[member]![0]?.deal.seedCommitment ?? NO_COMMITMENT,
    })),
  });
  const next: Uploading = { ...state, phase: 'upload', cohort, updates: {} };
  return { kind: 'frozen', state: next, cohort: cohort.statement, signature: cohort.signature };
}

/** The deals that go to `member` with U2, in the order of U2. Empty for who is not in it. */
export function dealsFor(state: ServerAttempt, member: string): SignedDeal[] {
  if (state.phase === 'advertise' || state.phase === 'share') return [];
  const members = cohortMembers(state);
  if (!members.includes(member)) return [];
  return members.flatMap((dealer) => state.deals[dealer]!.filter(({ deal }) => deal.receiver === member));
}

/**
 * A masked vector is durable. The first write wins: the same hash again changes nothing, also after the freeze if it
 * is in U3. @throws wrong-phase, wrong-attempt, conflict, late
 */
export function receiveUpdate(state: ServerAttempt, member: string, sha256: string): ServerAttempt {
  if (state.phase === 'agree' || state.phase === 'unmask') {
    const counted = state.survivors.statement.updates.some(
      (update) => update.member === member && update.sha256 === sha256,
    );
    if (counted) return state;
  }
  if (state.phase !== 'upload') throw outOfPhase(state, member, 'upload', 'A vector');
  requirePresent(state, member, 'A vector');
  const known = state.updates[member];
  if (known === sha256) return state;
  if (known !== undefined) throw refusal('conflict', state, member, `its vector is ${known}, not ${sha256}`);
  return { ...state, updates: { ...state.updates, [member]: sha256 } };
}

/** U3: all whose vector is durable and was not withdrawn. Fails with below-threshold. @throws wrong-phase before U2 */
export function freezeSurvivors(
  state: ServerAttempt,
  context: ServerContext,
  { minSum }: { minSum: number },
): Freeze<{ survivors: Survivors; signature: string }> {
  if (state.phase === 'advertise' || state.phase === 'share')
    throw outOfPhase(state, 'the coordinator', 'upload', 'Freezing U3');
  if (state.phase !== 'upload') {
    const { statement, signature } = state.survivors;
    return { kind: 'frozen', state, survivors: statement, signature };
  }
  const members = cohortMembers(state).filter((member) => state.updates[member]);
  const t = state.threshold;
  const c = state.announcement.aggregation.collusion;
  const floor = survivorFloor({ t, c, minSum });
  if (members.length < floor)
    return failed(
      'below-threshold',
      `U3 would have ${members.length} members, max(t = ${t}, c + 2 = ${c + 2}, minSum = ${minSum}) is ${floor}.`,
    );
  const survivors = freeze(context, 'survivors', {
    ...bindingOf(state),
    roster: state.roster.hash,
    cohort: state.cohort.hash,
    updates: members.map((member) => ({ member, sha256: state.updates[member]! })),
  });
  const next: Agreeing | Unmasking = isSecure(state)
    ? { ...state, phase: 'agree', survivors, signatures: [] }
    : { ...state, phase: 'unmask', survivors, signatures: [], answers: {} };
  return { kind: 'frozen', state: next, survivors: survivors.statement, signature: survivors.signature };
}
