import { describe, expect, it } from 'vitest';
import { stateHash } from './digest.ts';
import { type ANSWERS, context, createWorld, testPlan, type World } from './fixtures.ts';
import { survivorsOf } from './lists.ts';
import { step } from './machine.ts';
import { createRun } from './state.ts';

/** Five partners up to the point where `type` would be answered; what was answered in it already is given. */
function worldAt(type: (typeof ANSWERS)[number]): World {
  const world = createWorld(5, testPlan({ rounds: 1 }));
  for (const { id } of world.partners) world.take({ type: 'consent', member: id });
  world.open();
  while (world.inbox[0] && world.inbox[0].type !== type) world.take(world.inbox.shift()!);
  return world;
}
const first = (world: World) => world.partners[0]!.id;
const stageOf = (world: World): string => world.state.stage.kind;

describe('a partner that is suspended', () => {
  it.each(['advert', 'shares', 'update'] as const)(
    'before its %s drops out, and the others publish',
    (type) => {
      const world = worldAt(type);
      world.take({ type: 'revoked', member: first(world), why: 'suspended' });
      world.settle((input) => 'member' in input && input.member === first(world));
      world.sum();
      expect(world.state).toMatchObject({ status: 'done', head: { round: 1 } });
      const { record } = world.effects.find((effect) => effect.type === 'publish')!;
      expect(record.participants.toSorted()).toEqual(['partner-1', 'partner-2', 'partner-3', 'partner-4']);
    },
  );

  it('after its vector arrived, but before the survivors are fixed, is not in the sum', () => {
    const world = worldAt('update');
    const mine = world.inbox.findIndex((input) => input.type === 'update' && input.member === first(world));
    world.take(world.inbox.splice(mine, 1)[0]!);
    world.take({ type: 'revoked', member: first(world), why: 'suspended' });
    world.settle();
    const { stage } = world.state;
    if (stage.kind !== 'summing') throw new Error(stage.kind);
    expect(survivorsOf(stage.open.secagg)).not.toContain(first(world));
    expect(survivorsOf(stage.open.secagg)).toHaveLength(4);
  });

  it('cannot upload late', () => {
    const world = worldAt('update');
    const late = world.inbox.find((input) => input.type === 'update' && input.member === first(world))!;
    world.take({ type: 'revoked', member: first(world), why: 'suspended' });
    expect(() => world.take(late)).toThrow('needs a member of this phase');
  });

  it.each(['agree', 'unmask'] as const)(
    'before %s, in a fixed survivor set, makes the attempt void',
    (type) => {
      const world = worldAt(type);
      world.take({ type: 'revoked', member: first(world), why: 'suspended' });
      expect(stageOf(world)).toBe('gathering');
      expect(world.effects.at(-1)).toMatchObject({ kind: 'abandoned', data: { code: 'forbidden' } });
      expect(world.effects.some((effect) => effect.type === 'publish')).toBe(false);
      expect(world.state.answers).not.toHaveProperty(first(world));
    },
  );

  it('while the sum is worked out makes the attempt void, and the sum that comes then is not taken', () => {
    const world = worldAt('advert');
    world.settle();
    const { stage } = world.state;
    if (stage.kind !== 'summing') throw new Error(stage.kind);
    world.take({ type: 'revoked', member: first(world), why: 'removed' });
    const result = { sum: '', model: '', weights: '', scalars: [], norm: 0 };
    expect(world.take({ type: 'summed', attempt: stage.open.secagg.attempt, result, bytesDown: 0 })).toEqual(
      [],
    );
    expect(world.state.head.round).toBe(0);
  });

  it('changes nothing the second time, and its journal replays', () => {
    const world = worldAt('update');
    const revoked = { type: 'revoked', member: first(world), why: 'suspended' } as const;
    world.take(revoked);
    const { state } = world;
    world.take(revoked);
    expect(world.state).toBe(state);
    const { id, plan, planHash, parameters } = state;
    let again = createRun({
      id,
      plan,
      planHash,
      parameters,
      model: state.head.model,
      weights: state.head.weights,
    });
    for (const { input, now } of world.journal) again = step(again, input, now, context).state;
    expect(stateHash(context.crypto, again)).toBe(stateHash(context.crypto, state));
  });
});

it('a partner that changed its key in a fixed survivor set was good until then: the attempt goes on', () => {
  const world = worldAt('agree');
  world.take({ type: 'revoked', member: first(world), why: 'rotated' });
  world.settle();
  world.sum();
  expect(world.state.status).toBe('done');
});
