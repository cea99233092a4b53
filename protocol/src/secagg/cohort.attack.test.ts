import { describe, expect, it } from 'vitest';
import { toBase64 } from '../encoding.ts';
import { vectorMasked } from './client-unmask.ts';
import { advertAll, createAttempt, dealAll, identities, maskVector, type Options, take } from './fixtures.ts';
import { dealsOf, expectRefusal, honestCohort, showCohort } from './fixtures-malice.ts';
import type { Cohort, SignedDeal } from './statements.ts';

type Code = Parameters<typeof expectRefusal>[2];

/** Everybody has dealt; the victim waits for U2. */
function scene(options: Options) {
  const attempt = createAttempt(options);
  advertAll(attempt);
  dealAll(attempt);
  const cohort = honestCohort(attempt);
  const victim = attempt.partners[0]!;
  const deals = dealsOf(attempt, victim.id, cohort);
  const members = identities(options.n);
  const show = (shown: Cohort, sent?: readonly SignedDeal[]) => showCohort(attempt, victim, shown, sent);
  const refuse = (shown: Cohort, sent: readonly SignedDeal[] | undefined, code: Code, words?: string) =>
    expectRefusal(victim.state, show(shown, sent), code, words);
  return { attempt, cohort, deals, victim, members, show, refuse };
}

describe('a lying coordinator’s U2', () => {
  it('honest, it is masked over', () => {
    const { show, cohort } = scene({ n: 5 });
    expect(show(cohort)).toMatchObject({ kind: 'answered', todo: 'mask', members: 5, terms: { length: 5 } });
  });

  it('with a member that is not in U1', () => {
    const { refuse, cohort } = scene({ n: 5 });
    const invented = { member: identities(1, 'invented')[0]!.id, seedCommitment: '0'.repeat(64) };
    const members = [...cohort.members, invented].sort((a, b) => (a.member < b.member ? -1 : 1));
    refuse({ ...cohort, members }, undefined, 'equivocation', invented.member);
  });

  it('without the victim', () => {
    const { refuse, cohort } = scene({ n: 5 });
    refuse({ ...cohort, members: cohort.members.slice(1) }, undefined, 'late');
  });

  it('below t', () => {
    const { refuse, cohort } = scene({ n: 5 });
    refuse({ ...cohort, members: cohort.members.slice(0, 3) }, undefined, 'below-threshold', 't = 4');
  });

  it('at t but below minRoster', () => {
    const { refuse, cohort } = scene({ n: 6, floors: { minRoster: 5 } });
    const members = cohort.members.slice(0, 4);
    refuse({ ...cohort, members }, undefined, 'policy-refused', 'minRoster is 5, U2 holds 4');
  });

  it('with one member twice', () => {
    const { refuse, cohort } = scene({ n: 5 });
    const members = [...cohort.members.slice(0, 2), ...cohort.members.slice(1)];
    refuse({ ...cohort, members }, undefined, 'malformed', 'once');
  });

  it('with another commitment for the victim’s seed', () => {
    const { refuse, cohort } = scene({ n: 5 });
    const members = cohort.members.map((m, i) => (i === 0 ? { ...m, seedCommitment: '1'.repeat(64) } : m));
    refuse({ ...cohort, members }, undefined, 'equivocation', 'seed commitment');
  });

  it('with another commitment for somebody else’s seed', () => {
    const { refuse, cohort } = scene({ n: 5 });
    const members = cohort.members.map((m, i) => (i === 3 ? { ...m, seedCommitment: '1'.repeat(64) } : m));
    refuse({ ...cohort, members }, undefined, 'hash-mismatch', cohort.members[3]!.member);
  });

  it('bound to another U1', () => {
    const { refuse, cohort } = scene({ n: 5 });
    refuse({ ...cohort, roster: '0'.repeat(64) }, undefined, 'wrong-attempt', 'roster');
  });

  it('replayed from an earlier attempt with the very same members', () => {
    const earlier = scene({ n: 5 });
    const { refuse } = scene({ n: 5, fields: { attempt: 2 } });
    refuse(earlier.cohort, earlier.deals, 'wrong-attempt', 'announcement');
  });

  it('unsigned', () => {
    const { attempt, victim, cohort, deals } = scene({ n: 5 });
    const step = showCohort(attempt, victim, cohort, deals, toBase64(new Uint8Array(64)));
    expectRefusal(victim.state, step, 'bad-signature', 'cohort');
  });

  it('shown a second time in another version ends the attempt', () => {
    const { attempt, refuse, show, cohort, victim } = scene({ n: 6 });
    take(victim, show(cohort));
    const { state } = refuse({ ...cohort, members: cohort.members.slice(0, 5) }, undefined, 'equivocation');
    expect(showCohort(attempt, { ...victim, state }, cohort).kind).toBe('refused');
  });

  it('shown again unchanged gives the same masks before the vector is fixed, and none at all after', () => {
    const { attempt, show, cohort, victim } = scene({ n: 5 });
    const first = take(victim, show(cohort));
    const again = take(victim, show(cohort));
    expect(again).toMatchObject({ todo: 'mask', terms: first.todo === 'mask' ? first.terms : [] });
    if (first.todo !== 'mask') throw new Error('unreachable');
    const sha256 = maskVector(attempt, victim, first.terms, first.members);
    take(victim, vectorMasked(victim.state, sha256));
    expect(first.terms.every(({ key }) => key.every((byte) => byte === 0))).toBe(true);
    const { kind, ...rest } = show(cohort);
    expect(rest).toEqual({ state: victim.state, todo: 'resend', sha256 });
    expect(kind).toBe('answered');
  });
});
