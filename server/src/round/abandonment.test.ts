import { describe, expect, it } from 'vitest';
import { uncertified, withCertificates } from './abandonment.ts';
import { createWorld, testPlan, type World } from './fixtures.ts';
import { gather } from './gathering.ts';
import type { RoundInput } from './io.ts';
import { resendTo } from './resend.ts';

const everybody = ({ partners }: World) => partners.map(({ id, name }) => ({ member: id, name }));
const openAttempt = ({ state }: World) => {
  if (state.stage.kind !== 'attempt') throw new Error(state.stage.kind);
  return state.stage.open.secagg.attempt;
};

/** n = 5, t = 4: two fall silent before their vector, so the attempt is void after three have sent one. */
function voided(rounds = 1): { world: World; signed: RoundInput[]; attempt: string } {
  const world = createWorld(5, testPlan({ rounds }));
  for (const { id } of world.partners) world.take({ type: 'consent', member: id });
  world.open();
  const attempt = openAttempt(world);
  const gone = new Set(world.partners.slice(3).map(({ id }) => id));
  world.settle((input) => input.type === 'update' && gone.has(input.member));
  world.take({ type: 'close', why: 'patience' });
  const signed = world.inbox.filter(({ type }) => type === 'abandon');
  world.inbox = [];
  return { world, signed, attempt };
}

describe('an attempt that is void after vectors were sent', () => {
  it('rests who sent one until enough have abandoned it, and announces the next with the certificate', () => {
    const { world, signed, attempt } = voided();
    expect(signed).toHaveLength(5);
    const senders = world.partners.slice(0, 3).map(({ id }) => id);
    expect(uncertified(world.state).sort()).toEqual(senders.sort());
    expect(gather(world.state, everybody(world)).eligible).toHaveLength(2);

    // n - t + c + 1 = 3
    for (const input of signed.slice(0, 2)) world.take(input);
    expect(gather(world.state, everybody(world)).eligible).toHaveLength(2);
    expect(withCertificates(world.state)).toEqual({});
    world.take(signed[2]!);
    expect(gather(world.state, everybody(world)).eligible).toHaveLength(5);

    world.open();
    const announce = world.effects.findLast((effect) => effect.type === 'send')!.message;
    expect(announce).toMatchObject({ type: 'announce', certificates: [{ attempt }] });
    expect(resendTo(world.state, world.partners[4]!.id).map(({ type }) => type)).toEqual([
      'abandoned',
      'announce',
    ]);
    expect(resendTo(world.state, world.partners[4]!.id)[1]).toMatchObject({ certificates: [{ attempt }] });
    world.settle();
    world.sum();
    expect(world.state).toMatchObject({ head: { round: 1 }, status: 'done' });
    expect(world.state).not.toHaveProperty('voided');
  });

  it('asks again whoever said that it sits out, with every further signature', () => {
    const { world, signed } = voided();
    for (const input of signed.slice(0, 3)) world.take(input);
    world.open();
    const member = world.partners[0]!.id;
    const leave = {
      type: 'leave' as const,
      attempt: openAttempt(world),
      code: 'sits-out' as const,
      reason: '',
      convict: [],
    };
    world.take({ type: 'leave', member, message: leave });
    expect(world.state.sittingOut).toEqual([member]);
    world.take(signed[3]!);
    expect(world.state.sittingOut).toEqual([]);
  });

  it('asks again whoever sits out of an attempt that was announced before there were enough signatures', () => {
    const { world, signed } = voided();
    for (const input of signed.slice(0, 2)) world.take(input);
    // Nothing of theirs was acknowledged, so that they are invited: their ledgers know of an upload that broke off.
    world.open();
    world.take(signed[2]!);
    const { id: member } = world.partners[0]!;
    const message = { type: 'leave' as const, code: 'sits-out' as const, reason: '', convict: [] };
    world.take({ type: 'leave', member, message: { ...message, attempt: openAttempt(world) } });
    expect(world.state.sittingOut).toEqual([]);
    expect(withCertificates(world.state)).toMatchObject({ certificates: [{}] });
  });

  it('tells who was away of the end, until it has signed', () => {
    const { world, signed, attempt } = voided();
    const away = world.partners[4]!.id;
    expect(resendTo(world.state, away)).toMatchObject([{ type: 'abandoned', attempt }]);
    world.take(signed.find((input) => 'member' in input && input.member === away)!);
    expect(resendTo(world.state, away)).toEqual([]);
  });

  it('takes a signature once, and only of a member of U1 on this attempt', () => {
    const { world, signed } = voided();
    const [first, second] = signed as Extract<RoundInput, { type: 'abandon' }>[];
    world.take(first!);
    const before = world.state;
    world.take(first!);
    expect(world.state).toBe(before);
    const refused = (input: RoundInput, code: string) => {
      expect(() => world.take(input)).toThrow(expect.objectContaining({ code }));
      expect(world.state).toBe(before);
    };
    refused({ ...second!, message: first!.message }, 'bad-signature');
    refused({ ...second!, member: 'A'.repeat(43) }, 'wrong-attempt');
    world.take({ ...second!, message: { ...second!.message, attempt: 'f'.repeat(64) } });
    expect(world.state).toBe(before);
  });

  it('is not certified by those who have revealed shares: after the sum was unmasked nobody is left to sign', () => {
    const world = createWorld(5);
    world.open();
    world.settle();
    const { stage } = world.state;
    if (stage.kind !== 'summing') throw new Error(stage.kind);
    const { attempt } = stage.open.secagg;
    world.take({ type: 'sum-failed', attempt, code: 'storage-failed', reason: 'disk' });
    world.settle();
    // The fifth was asked and answered as well, or the fourth share was enough: at most one signs.
    expect(Object.keys(world.state.voided![0]!.signatures).length).toBeLessThan(3);
    expect(withCertificates(world.state)).toEqual({});
  });
});
