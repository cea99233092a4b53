import { describe, expect, it } from 'vitest';
import {
  type Attempt,
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  frozenCohort,
  frozenRoster,
  frozenSurvivors,
  identities,
  maskAll,
  take,
  unmaskAll,
  uploadAll,
} from './fixtures.ts';
import { showAgreement, showCohort, showRoster, showSurvivors } from './fixtures-malice.ts';
import { freezeRoster, leave } from './server-machine.ts';
import { awaited, resend } from './server-outlook.ts';
import { dealsFor, freezeCohort, freezeSurvivors } from './server-share.ts';
import { agreement, reconstruct, unmaskReady } from './server-unmask.ts';

const PHASES = [advertAll, dealAll, maskAll, uploadAll, agreeAll];

/** Six members, honest through the first phases; what follows is up to the test. */
function scene(phases: number, n = 6) {
  const attempt = createAttempt({ n });
  for (const phase of PHASES.slice(0, phases)) phase(attempt);
  const ids = attempt.partners.map(({ id }) => id);
  return { attempt, ids, partners: attempt.partners };
}
const types = (attempt: Attempt, member: string) => resend(attempt.state, member).map(({ type }) => type);

describe('a frozen list', () => {
  it('is the same object again, whatever has changed since, and also from JSON', () => {
    const { attempt, ids } = scene(1);
    const { server } = attempt;
    const roster = frozenRoster(attempt);
    attempt.state = leave(attempt.state, ids[0]!);
    expect(freezeRoster(attempt.state, server, { minimum: 3 })).toEqual({ ...roster, state: attempt.state });
    const restored = JSON.parse(JSON.stringify(attempt.state)) as Attempt['state'];
    expect(freezeRoster(restored, server, { minimum: 99 })).toEqual({ ...roster, state: restored });
  });

  it('is write-once for U2 and U3 too', () => {
    const { attempt, ids, partners } = scene(2);
    const { server } = attempt;
    const cohort = frozenCohort(attempt);
    attempt.state = leave(attempt.state, ids[5]!);
    expect(freezeCohort(attempt.state, server)).toEqual({ ...cohort, state: attempt.state });
    maskAll(attempt);
    uploadAll(attempt, partners.slice(0, 5));
    const survivors = frozenSurvivors(attempt);
    attempt.state = leave(attempt.state, ids[0]!);
    expect(freezeSurvivors(attempt.state, server, { minSum: 6 })).toEqual({
      ...survivors,
      state: attempt.state,
    });
  });

  it('too early is the wrong phase', () => {
    const { attempt } = scene(1);
    expect(() => freezeCohort(attempt.state, attempt.server)).toThrow(
      expect.objectContaining({ code: 'wrong-phase' }),
    );
    expect(() => freezeSurvivors(attempt.state, attempt.server, { minSum: 3 })).toThrow(
      expect.objectContaining({ code: 'wrong-phase' }),
    );
    expect(() => reconstruct(attempt.state, attempt.server)).toThrow(
      expect.objectContaining({ code: 'wrong-phase' }),
    );
  });

  it('below the caller’s minimum fails, typed, and changes nothing', () => {
    const { attempt } = scene(1);
    expect(freezeRoster(attempt.state, attempt.server, { minimum: 7 })).toMatchObject({
      kind: 'failed',
      error: { code: 'below-threshold', message: expect.stringContaining('minimum = 7') },
    });
    expect(attempt.state.phase).toBe('advertise');
  });
});

describe('who leaves', () => {
  it('is in no list frozen after that, and is not awaited', () => {
    const { attempt, ids } = scene(0);
    attempt.state = leave(attempt.state, ids[0]!);
    expect(awaited(attempt.state)).toEqual(ids.slice(1));
    advertAll(attempt, attempt.partners.slice(1));
    attempt.state = leave(attempt.state, ids[1]!);
    expect(frozenRoster(attempt).roster.adverts.map(({ advert }) => advert.member)).toEqual(ids.slice(2));
  });

  it('after dealing is not in U2; after uploading not in U3', () => {
    const { attempt, ids } = scene(2);
    attempt.state = leave(attempt.state, ids[0]!);
    expect(frozenCohort(attempt).cohort.members.map(({ member }) => member)).toEqual(ids.slice(1));
    const second = scene(4);
    second.attempt.state = leave(second.attempt.state, ids[3]!);
    const { survivors } = frozenSurvivors(second.attempt);
    expect(survivors.updates.map(({ member }) => member)).toEqual(ids.filter((id) => id !== ids[3]));
  });

  it('twice changes nothing; who was never invited cannot', () => {
    const { attempt, ids } = scene(1);
    const left = leave(attempt.state, ids[0]!);
    expect(leave(left, ids[0]!)).toBe(left);
    expect(() => leave(left, identities(1, 'stranger')[0]!.id)).toThrow(
      expect.objectContaining({ code: 'wrong-attempt' }),
    );
  });
});

describe('after a reconnection', () => {
  it('each member gets exactly the requests that it has not answered, and can go on from them', () => {
    const { attempt, ids, partners } = scene(0);
    const slow = partners[5]!;
    const others = partners.slice(0, 5);
    const last = ids[5]!;

    expect(types(attempt, last)).toEqual(['announce']);
    advertAll(attempt);
    expect(types(attempt, last)).toEqual([]);

    dealAll(attempt, others);
    expect(awaited(attempt.state)).toEqual([last]);
    expect(types(attempt, ids[0]!)).toEqual([]);
    const [roster] = resend(attempt.state, last);
    if (roster?.type !== 'roster') throw new Error('unreachable');
    take(slow, showRoster(attempt, slow, roster.roster, roster.signature));
    dealAll(attempt, [slow]);

    maskAll(attempt, others);
    uploadAll(attempt, others);
    const [cohort] = resend(attempt.state, last);
    if (cohort?.type !== 'cohort') throw new Error('unreachable');
    expect(cohort.deals).toEqual(dealsFor(attempt.state, last));
    take(slow, showCohort(attempt, slow, cohort.cohort, cohort.deals, cohort.signature));
    maskAll(attempt, [slow]);
    uploadAll(attempt, [slow]);

    agreeAll(attempt, others.slice(0, 3));
    expect(types(attempt, last)).toEqual(['survivors']);
    expect(types(attempt, ids[0]!)).toEqual([]);
    expect(agreement(attempt.state)).toBeNull();
    agreeAll(attempt, others.slice(3));
    expect(types(attempt, last)).toEqual(['survivors', 'agreed']);
    const [survivors, agreed] = resend(attempt.state, last);
    if (survivors?.type !== 'survivors' || agreed?.type !== 'agreed') throw new Error('unreachable');
    take(slow, showSurvivors(attempt, slow, survivors.survivors, survivors.signature));
    take(slow, showAgreement(slow, agreed.signatures));
    unmaskAll(attempt, [slow]);
    expect(types(attempt, last)).toEqual([]);
    expect(unmaskReady(attempt.state)).toBe(false);
    unmaskAll(attempt, others.slice(0, 3));
    expect(unmaskReady(attempt.state)).toBe(true);
    expect(awaited(attempt.state)).toEqual(ids.slice(3, 5));
  });

  it('nothing goes to who is not in the current list', () => {
    const { attempt, ids, partners } = scene(1);
    dealAll(attempt, partners.slice(0, 5));
    frozenCohort(attempt);
    expect(types(attempt, ids[5]!)).toEqual([]);
    expect(dealsFor(attempt.state, ids[5]!)).toEqual([]);
    expect(types(attempt, identities(1, 'stranger')[0]!.id)).toEqual([]);
  });
});
