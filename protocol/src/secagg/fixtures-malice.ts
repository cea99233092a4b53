/** What a lying coordinator can do with its own key: sign anything. For attack tests; the judge is the client's real code. */
import { expect } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import type { ErrorCode } from '../errors.ts';
import { type Identity, sign } from '../identity.ts';
import { receiveCohort, receiveRoster } from './client-machine.ts';
import type { ClientAttempt, Refused, Step } from './client-state.ts';
import { receiveAgreement, receiveSurvivors } from './client-unmask.ts';
import type { Attempt, Partner } from './fixtures.ts';
import { freezeRoster } from './server-machine.ts';
import { dealsFor, freezeCohort, freezeSurvivors } from './server-share.ts';
import type { Cohort, Roster, SignedAdvert, SignedDeal, Survivors } from './statements.ts';

export function honestRoster(attempt: Attempt): Roster {
  const result = freezeRoster(attempt.state, attempt.server, { minimum: 3 });
  if (result.kind === 'failed') throw result.error;
  return result.roster;
}

export function honestCohort(attempt: Attempt): Cohort {
  const result = freezeCohort(attempt.state, attempt.server);
  if (result.kind === 'failed') throw result.error;
  return result.cohort;
}

export function honestSurvivors(attempt: Attempt): Survivors {
  const result = freezeSurvivors(attempt.state, attempt.server, { minSum: 3 });
  if (result.kind === 'failed') throw result.error;
  return result.survivors;
}

export function showRoster(attempt: Attempt, partner: Partner, roster: Roster, signature?: string) {
  const signed = signature ?? sign(attempt.server.crypto, attempt.server.identity, 'roster', roster);
  return receiveRoster(partner.state, partner.context, roster, signed, partner.random);
}

export function showCohort(
  attempt: Attempt,
  partner: Partner,
  cohort: Cohort,
  deals: readonly SignedDeal[] = dealsOf(attempt, partner.id, cohort),
  signature = sign(attempt.server.crypto, attempt.server.identity, 'cohort', cohort),
) {
  return receiveCohort(partner.state, partner.context, cohort, signature, deals);
}

/** The honest deals for `receiver` from the members of `cohort`. */
export function dealsOf(attempt: Attempt, receiver: string, cohort: Cohort): SignedDeal[] {
  const { state } = attempt;
  if (state.phase === 'advertise') return [];
  if (state.phase !== 'share') return dealsFor(state, receiver);
  return cohort.members.flatMap(({ member }) =>
    (state.deals[member] ?? []).filter(({ deal }) => deal.receiver === receiver),
  );
}

export function showSurvivors(attempt: Attempt, partner: Partner, survivors: Survivors, signature?: string) {
  const signed = signature ?? sign(attempt.server.crypto, attempt.server.identity, 'survivors', survivors);
  return receiveSurvivors(partner.state, partner.context, survivors, signed);
}

export function showAgreement(partner: Partner, signatures: Parameters<typeof receiveAgreement>[2]) {
  return receiveAgreement(partner.state, partner.context, signatures);
}

/** Signs an advert for keys of one's own choice. */
export function advertBy(identity: Identity, like: SignedAdvert, changes: Partial<SignedAdvert['advert']>) {
  const advert = { ...like.advert, member: identity.id, ...changes };
  return { advert, signature: sign(nodeCrypto, identity, 'advert', advert) };
}

export const byMember = (a: SignedAdvert, b: SignedAdvert) => (a.advert.member < b.advert.member ? -1 : 1);

export function withAdverts(roster: Roster, adverts: readonly SignedAdvert[]): Roster {
  return { ...roster, adverts: [...adverts].sort(byMember) };
}

/** Every byte array in a state is a secret (client-state.ts). */
export function secretsIn(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value];
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(secretsIn);
  return [];
}

/** The step was refused for this reason, the attempt is over for this client, and nothing secret is left in memory. */
export function expectRefusal(
  before: ClientAttempt,
  step: Step<object>,
  code: ErrorCode,
  words?: string,
): Refused {
  if (step.kind !== 'refused') throw new Error(`answered, where ${code} was due`);
  expect(step.error.code).toBe(code);
  if (words !== undefined) expect(step.error.message).toContain(words);
  expect(step.state.phase).toBe('left');
  expect(secretsIn(step.state)).toEqual([]);
  expect(secretsIn(before).every((secret) => secret.every((byte) => byte === 0))).toBe(true);
  return step;
}
