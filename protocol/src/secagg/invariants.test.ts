import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { Game, type Move, prepare } from './fixtures-game.ts';

// Thousands of attempts: seconds when idle, more beside other work.
vi.setConfig({ testTimeout: 120_000 });

/** Kinds of moves in the order of an attempt. */
const ORDER = [0, 1, 2, 3, 4, 5, 5];

/**
 * A plan of attack: the lists shown to one group of clients and to the other, in the order of the phases, so that
 * attempts get far; with any moves in between.
 */
interface Campaign {
  readonly groups: readonly boolean[];
  /** For each kind of move what the two groups are shown. */
  readonly shown: readonly (readonly [number, number])[];
  readonly noise: readonly { readonly at: number; readonly move: Move }[];
}

const choice = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2 ** 16) });
const campaigns: fc.Arbitrary<Campaign> = fc.record({
  groups: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  shown: fc.array(fc.tuple(choice, choice), { minLength: 7, maxLength: 7 }),
  noise: fc.array(fc.record({ at: fc.nat(40), move: fc.tuple(fc.nat(5), fc.nat(4), fc.nat(2 ** 16)) }), {
    maxLength: 12,
  }),
});

function movesOf({ groups, shown, noise }: Campaign, from: number): Move[] {
  const moves: Move[] = ORDER.flatMap((kind, step) =>
    kind < from ? [] : groups.map((group, client): Move => [kind, client, shown[step]![group ? 1 : 0]]),
  );
  for (const { at, move } of noise) moves.splice(at % (moves.length + 1), 0, move);
  return moves;
}

it.each([
  ['from the advert on', 1, 0, 200],
  ['from the deals on', 2, 2, 300],
  ['from the masked vectors on', 3, 4, 1200],
])(
  'no client ever emits both kinds of share, nor two answers of one kind: %s',
  (_, phases, from, numRuns) => {
    const world = prepare(phases);
    let unmasked = 0;
    let stopped = 0;
    fc.assert(
      fc.property(campaigns, (campaign) => {
        const game = new Game(world);
        for (const move of movesOf(campaign, from)) game.play(move);
        game.check();
        const released = game.emitted.some(({ answers }) => answers.size > 0);
        if (released) unmasked++;
        else stopped++;
      }),
      { numRuns },
    );
    // The attacks get somewhere, and are stopped somewhere.
    expect(unmasked).toBeGreaterThan(numRuns / 50);
    expect(stopped).toBeGreaterThan(numRuns / 5);
  },
);

it('the checker itself would notice: a client that forgets its latch is caught', () => {
  const world = prepare(3);
  const game = new Game(world);
  const partner = game.attempt.partners[0]!;
  const forgetful = structuredClone(partner.state);
  game.play([4, 0, 0]);
  partner.state = forgetful;
  game.play([4, 0, 2]);
  expect(() => game.check()).toThrow();
});
