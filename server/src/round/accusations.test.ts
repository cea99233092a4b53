/** Members that leave, and whom they accuse: a single liar must not stop a run, remove the others, or fill the journal. */
import type { ClientMessageOf } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import { createWorld, testPlan, type World } from './fixtures.ts';
import { gather } from './gathering.ts';

/** An attempt in which U2 is frozen and no vector has arrived. */
function uploading(members: number): World {
  const world = createWorld(members);
  for (const { id } of world.partners) world.take({ type: 'consent', member: id });
  world.open();
  world.settle((input) => input.type === 'update');
  return world;
}

function attemptOf({ state }: World): string {
  if (state.stage.kind !== 'attempt') throw new Error(state.stage.kind);
  return state.stage.open.secagg.attempt;
}

function leave(world: World, index: number, convict: string[] = []): readonly object[] {
  const message: ClientMessageOf<'leave'> = {
    ...{ type: 'leave', attempt: attemptOf(world), code: 'bad-share', reason: '', convict },
  };
  return world.take({ type: 'leave', member: world.partners[index]!.id, message });
}

const idsOf = (world: World): string[] => world.partners.map(({ id }) => id);

describe('who leaves', () => {
  it('again and again is taken once: nothing more is journalled, told or counted as progress', () => {
    const world = uploading(6);
    leave(world, 0);
    const before = world.state;
    for (let i = 0; i < 3; i++) expect(leave(world, 0, [idsOf(world)[i + 1]!])).toEqual([]);
    expect(world.state).toBe(before);
  });

  it('accusing more dealers than may collude is the one to sit out, alone', () => {
    const world = uploading(6);
    leave(world, 0, idsOf(world).slice(1));
    world.take({ type: 'restarted', damaged: ['any'] });
    expect(world.state.excluded).toEqual([idsOf(world)[0]]);
  });

  it.each([
    ['itself', (world: World) => [idsOf(world)[0]!]],
    ['keys that nobody has', () => ['A'.repeat(43), 'B'.repeat(43)]],
  ])('accusing %s excludes nobody', (_, convict) => {
    const world = uploading(6);
    leave(world, 0, convict(world));
    world.take({ type: 'restarted', damaged: ['any'] });
    expect(world.state.excluded).toEqual([]);
  });

  it('accusing somebody before it can have seen a deal excludes nobody', () => {
    const world = createWorld(6);
    world.open();
    leave(world, 0, [idsOf(world)[1]!]);
    world.take({ type: 'restarted', damaged: ['any'] });
    expect(world.state.excluded).toEqual([]);
  });
});

describe('the excluded', () => {
  it('are not invited while enough others have consented, also if these are away', () => {
    const world = uploading(6);
    leave(world, 0, [idsOf(world)[1]!]);
    world.take({ type: 'restarted', damaged: ['any'] });
    const connected = world.partners.map(({ id, name }) => ({ member: id, name }));
    expect(gather(world.state, connected).eligible).toHaveLength(4);
    expect(gather(world.state, connected.slice(0, 4))).toMatchObject({ enough: false });
  });

  it('are invited where too few others are left: one accusation must not stop a run for ever', () => {
    const world = createWorld(3, testPlan());
    for (const { id } of world.partners) world.take({ type: 'consent', member: id });
    world.open();
    world.settle((input) => input.type === 'update');
    leave(world, 0, [idsOf(world)[1]!]);
    const connected = world.partners.map(({ id, name }) => ({ member: id, name }));
    expect(world.state).toMatchObject({ stage: { kind: 'gathering' }, excluded: expect.any(Array) });
    expect(world.state.excluded).toHaveLength(2);
    expect(gather(world.state, connected)).toMatchObject({ enough: true });
  });
});
