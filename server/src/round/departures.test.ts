/** What becomes of an acknowledged vector when its node leaves before U3 is frozen (PROTOCOL.md 6.6). */
import type { ErrorCode } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import { createWorld, testPlan, type World } from './fixtures.ts';
import { survivorsOf } from './lists.ts';

/** Five partners, of which the first sent its vector. */
function firstVector(): World {
  const world = createWorld(5, testPlan({ rounds: 1 }));
  for (const { id } of world.partners) world.take({ type: 'consent', member: id });
  world.open();
  while (world.inbox[0]?.type !== 'update') world.take(world.inbox.shift()!);
  const mine = world.inbox.findIndex((input) => input.type === 'update' && input.member === first(world));
  world.take(world.inbox.splice(mine, 1)[0]!);
  return world;
}
const first = (world: World) => world.partners[0]!.id;

function leave(world: World, code: ErrorCode): void {
  if (world.state.stage.kind !== 'attempt') throw new Error(world.state.stage.kind);
  const { attempt } = world.state.stage.open.secagg;
  const message = { type: 'leave' as const, attempt, code, reason: '', convict: [] };
  world.take({ type: 'leave', member: first(world), message });
}

/** All others answer, and the sum is worked out. */
function finish(world: World): readonly string[] {
  world.settle((input) => 'member' in input && input.member === first(world));
  const { stage } = world.state;
  if (stage.kind !== 'summing') throw new Error(stage.kind);
  return survivorsOf(stage.open.secagg);
}

describe('an acknowledged vector', () => {
  it.each(['sits-out', 'unavailable'] as const)('counts when its process ended: %s', (code) => {
    const world = firstVector();
    leave(world, code);
    expect(finish(world)).toContain(first(world));
    world.sum();
    expect(world.state).toMatchObject({ status: 'done', head: { round: 1 } });
  });

  it('does not count when its owner says no', () => {
    const world = firstVector();
    leave(world, 'policy-refused');
    expect(finish(world)).not.toContain(first(world));
  });

  it('does not count when its partner is removed after its process ended', () => {
    const world = firstVector();
    leave(world, 'sits-out');
    world.take({ type: 'revoked', member: first(world), why: 'removed' });
    expect(finish(world)).not.toContain(first(world));
  });
});
