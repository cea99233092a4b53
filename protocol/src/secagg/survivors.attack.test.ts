import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { toBase64 } from '../encoding.ts';
import { sign } from '../identity.ts';
import { agreementOf, survivorsHash } from './binding.ts';
import { vectorMasked } from './client-unmask.ts';
import {
  advertAll,
  agreeAll,
  createAttempt,
  dealAll,
  identities,
  maskAll,
  type Options,
  type Partner,
  take,
  unmaskAll,
  uploadAll,
} from './fixtures.ts';
import { expectRefusal, honestSurvivors, showAgreement, showSurvivors } from './fixtures-malice.ts';
import { agreement } from './server-unmask.ts';
import type { Survivors } from './statements.ts';

type Code = Parameters<typeof expectRefusal>[2];

/** Everybody has uploaded; the victim waits for U3. */
function scene(options: Options) {
  const attempt = createAttempt(options);
  advertAll(attempt);
  dealAll(attempt);
  maskAll(attempt);
  uploadAll(attempt);
  const survivors = honestSurvivors(attempt);
  const victim = attempt.partners[0]!;
  const show = (shown: Survivors, to: Partner = victim) => showSurvivors(attempt, to, shown);
  const refuse = (shown: Survivors, code: Code, words?: string) =>
    expectRefusal(victim.state, show(shown), code, words);
  const without = (...indices: number[]): Survivors => ({
    ...survivors,
    updates: survivors.updates.filter((_, i) => !indices.includes(i)),
  });
  return { attempt, survivors, victim, show, refuse, without };
}

describe('a lying coordinator’s U3', () => {
  it('honest, it is signed', () => {
    const { show, survivors, without } = scene({ n: 5 });
    expect(show(survivors)).toMatchObject({ kind: 'answered' });
    expect(show(without(4))).toMatchObject({ kind: 'answered' });
  });

  it('tiny: below t', () => {
    const { refuse, without } = scene({ n: 5 });
    refuse(without(3, 4), 'below-threshold', 't = 4');
  });

  it('tiny: the victim and one accomplice', () => {
    const { refuse, without } = scene({ n: 10 });
    refuse(without(2, 3, 4, 5, 6, 7, 8, 9), 'below-threshold', 'U3 has 2 members');
  });

  it('of t members, but below c + 2: the c colluders would learn the one that is left', () => {
    const attempt = createAttempt({ n: 3, c: 2, floors: { collusion: 1 } });
    advertAll(attempt);
    dealAll(attempt);
    maskAll(attempt);
    const { state, partners, server } = attempt;
    if (state.phase !== 'upload') throw new Error('unreachable');
    const shown = {
      coordinator: server.identity.id,
      announcement: state.attempt,
      roster: state.roster.hash,
      cohort: state.cohort.hash,
      updates: partners.map(({ id, state: masked }) => ({
        member: id,
        sha256: masked.phase === 'masked' ? masked.sha256 : '',
      })),
    };
    const victim = partners[0]!;
    const step = showSurvivors(attempt, victim, shown);
    expectRefusal(victim.state, step, 'below-threshold', 'max(t = 3, c + 2 = 4');
  });

  it('below the victim’s minSum', () => {
    const { refuse, without } = scene({ n: 8, floors: { minSum: 7 } });
    refuse(without(6, 7), 'below-threshold', 'minSum = 7');
  });

  it('fills minSum up with members that the victim has not pinned, under a c that would bear them', () => {
    const attempt = createAttempt({ n: 8, c: 3, floors: { collusion: 1, minSum: 6 } });
    const [first] = attempt.partners;
    const pinned = new Set(attempt.partners.slice(0, 6).map(({ id }) => id));
    const victim: Partner = { ...first!, context: { ...first!.context, pinned } };
    attempt.partners[0] = victim;
    advertAll(attempt);
    dealAll(attempt);
    maskAll(attempt);
    uploadAll(attempt);
    const survivors = honestSurvivors(attempt);
    const shown = { ...survivors, updates: survivors.updates.filter((_, i) => i !== 3) };
    const step = showSurvivors(attempt, victim, shown);
    expectRefusal(victim.state, step, 'policy-refused', 'minSum is 6, U3 holds 5 pinned members (of 7)');
  });

  it('lists one node twice', () => {
    const { refuse, survivors } = scene({ n: 5 });
    const updates = [...survivors.updates.slice(0, 2), ...survivors.updates.slice(1)];
    refuse({ ...survivors, updates }, 'malformed', 'once');
  });

  it('holds a node that is not in U2', () => {
    const { refuse, survivors } = scene({ n: 5 });
    const invented = { member: identities(1, 'invented')[0]!.id, sha256: '0'.repeat(64) };
    const updates = [...survivors.updates, invented].sort((a, b) => (a.member < b.member ? -1 : 1));
    refuse({ ...survivors, updates }, 'equivocation', 'U3 must lie within U2');
  });

  it('holds a node of U1 that is not in U2', () => {
    const attempt = createAttempt({ n: 6 });
    advertAll(attempt);
    dealAll(attempt, attempt.partners.slice(0, 5));
    maskAll(attempt, attempt.partners.slice(0, 5));
    uploadAll(attempt, attempt.partners.slice(0, 5));
    const survivors = honestSurvivors(attempt);
    const silent = { member: attempt.partners[5]!.id, sha256: '0'.repeat(64) };
    const victim = attempt.partners[0]!;
    const step = showSurvivors(attempt, victim, { ...survivors, updates: [...survivors.updates, silent] });
    expectRefusal(victim.state, step, 'equivocation', silent.member);
  });

  it('leaves the victim out although its vector was sent', () => {
    const { refuse, without } = scene({ n: 6 });
    refuse(without(0), 'late');
  });

  it('replaces the victim’s vector', () => {
    const { refuse, survivors } = scene({ n: 5 });
    const updates = survivors.updates.map((u, i) => (i === 0 ? { ...u, sha256: '1'.repeat(64) } : u));
    refuse({ ...survivors, updates }, 'hash-mismatch');
  });

  it.each(['roster', 'cohort', 'announcement'] as const)('is bound to another %s', (field) => {
    const { refuse, survivors } = scene({ n: 5 });
    refuse({ ...survivors, [field]: '0'.repeat(64) }, 'wrong-attempt', field);
  });

  it('is replayed from an earlier attempt with the very same members', () => {
    const earlier = scene({ n: 5 });
    const { refuse } = scene({ n: 5, fields: { attempt: 2 } });
    refuse(earlier.survivors, 'wrong-attempt', 'announcement');
  });

  it('is unsigned', () => {
    const { attempt, victim, survivors } = scene({ n: 5 });
    const step = showSurvivors(attempt, victim, survivors, toBase64(new Uint8Array(64)));
    expectRefusal(victim.state, step, 'bad-signature', 'survivors');
  });

  it('comes before the victim’s vector is fixed: wrong phase, nothing signed', () => {
    const { attempt, survivors } = scene({ n: 5 });
    const slow = createAttempt({ n: 5 });
    advertAll(slow);
    dealAll(slow);
    const step = showSurvivors(attempt, slow.partners[0]!, survivors);
    expect(step).toMatchObject({ kind: 'refused', error: { code: 'wrong-phase' } });
  });
});

describe('two survivor sets', () => {
  it('shown to one client: the second ends the attempt, also after the first was signed', () => {
    const { attempt, show, survivors, without, victim } = scene({ n: 6 });
    take(victim, show(survivors));
    const { state } = expectRefusal(victim.state, show(without(5)), 'equivocation', 'U3 was');
    const signatures = attempt.partners.map(({ id }) => ({ member: id, signature: '' }));
    expect(showAgreement({ ...victim, state }, signatures)).toMatchObject({
      error: { code: 'wrong-attempt' },
    });
  });

  it('a repeated unmask with another set is refused after the shares of the first are out', () => {
    const { attempt, without, victim } = scene({ n: 6 });
    agreeAll(attempt);
    unmaskAll(attempt);
    expect(victim.state.phase).toBe('unmasked');
    expectRefusal(victim.state, showSurvivors(attempt, victim, without(5)), 'equivocation');
  });

  it('a node in both lists: alive for one half, dead for the other; neither half reaches t, and no share leaves', () => {
    const { attempt, show, survivors, without } = scene({ n: 6 });
    // t = 4. The last partner is the accomplice c = 1 and signs both.
    const sets = [survivors, without(1)];
    const signatures = sets.map((set) => {
      const binding = { ...set, coordinator: set.coordinator };
      const statement = agreementOf(binding, survivorsHash(nodeCrypto, set), attempt.partners[5]!.id);
      const signature = sign(nodeCrypto, identities(6)[5]!, 'survivor-agreement', statement);
      return [{ member: attempt.partners[5]!.id, signature }];
    });
    const shownTo = [0, 0, 1, 1, 0];
    attempt.partners.slice(0, 5).forEach((partner, i) => {
      if (i === 1) return;
      const { signature } = take(partner, show(sets[shownTo[i]!]!, partner));
      signatures[shownTo[i]!]!.push({ member: partner.id, signature: signature! });
    });
    attempt.partners.slice(0, 5).forEach((partner, i) => {
      if (i === 1) return;
      const step = showAgreement(partner, [...signatures[0]!, ...signatures[1]!]);
      expectRefusal(partner.state, step, 'below-threshold', 't = 4');
    });
  });

  it('an identical request is answered with the same bytes', () => {
    const { attempt, show, survivors, victim } = scene({ n: 5 });
    agreeAll(attempt);
    const signature = take(victim, show(survivors)).signature;
    expect(take(victim, show(survivors)).signature).toBe(signature);
    const signatures = agreement(attempt.state)!;
    const first = take(victim, showAgreement(victim, signatures)).shares;
    expect(take(victim, showAgreement(victim, [...signatures].reverse())).shares).toEqual(first);
    expect(take(victim, show(survivors)).signature).toBe(signature);
  });
});

describe('a second vector', () => {
  it('under the same masks is never fixed', () => {
    const { victim } = scene({ n: 4 });
    expect(vectorMasked(victim.state, 'f'.repeat(64))).toMatchObject({ error: { code: 'wrong-phase' } });
    if (victim.state.phase !== 'masked') throw new Error('unreachable');
    expect(vectorMasked(victim.state, victim.state.sha256)).toMatchObject({ kind: 'answered' });
  });
});
