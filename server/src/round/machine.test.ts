import { TributaryError } from '@tributary/protocol';
import { describe, expect, it } from 'vitest';
import { stateHash } from './digest.ts';
import { ANSWERS, context, createWorld, testPlan, type World } from './fixtures.ts';
import { gather } from './gathering.ts';
import type { Effect, RoundInput } from './io.ts';
import { step } from './machine.ts';
import { createRun, type RunState } from './state.ts';

const fromMember = (world: World, index: number) => (input: RoundInput) =>
  'member' in input && input.member === world.partners[index]!.id;

const published = (world: World): Extract<Effect, { type: 'publish' }>[] =>
  world.effects.filter((effect) => effect.type === 'publish');

function playRound(world: World, lost?: (input: RoundInput) => boolean): void {
  world.open();
  world.settle(lost);
  for (let closes = 0; closes < 3 && world.state.stage.kind === 'attempt'; closes++) {
    world.take({ type: 'close', why: 'grace' });
    world.settle(lost);
  }
  if (world.state.stage.kind === 'summing') world.sum();
}

describe('a round', () => {
  it('goes from announcement to publication, and the transcripts chain', () => {
    const world = createWorld(5);
    playRound(world);
    playRound(world);
    playRound(world);
    const rounds = published(world);
    expect(rounds.map((effect) => effect.record.round)).toEqual([1, 2, 3]);
    expect(rounds[0]!.transcript.body.previous).toBeNull();
    expect(rounds[1]!.transcript.body.previous).toBe(rounds[0]!.head.transcript);
    expect(rounds[0]!.record.participants).toHaveLength(5);
    expect(rounds[0]!.record.bytesUp).toBe(500);
    expect(rounds[0]!.record.metrics).toMatchObject({ weight: 100, trainingLoss: 0.5, clipped: 1 });
    expect(rounds[0]!.record.metrics.holdout).toEqual({ count: 10, loss: 0.5, metrics: { accuracy: 0.8 } });
    expect(world.state).toMatchObject({ status: 'done', stage: { kind: 'ended' } });
  });

  it.each(ANSWERS)('survives a partner that falls silent before its %s', (silentAt) => {
    const world = createWorld(5);
    const silent = fromMember(world, 2);
    const from = ANSWERS.indexOf(silentAt);
    playRound(
      world,
      (input) => silent(input) && ANSWERS.indexOf(input.type as (typeof ANSWERS)[number]) >= from,
    );
    const [round] = published(world);
    expect(round?.record.round).toBe(1);
    const vectorIsIn = from > ANSWERS.indexOf('update');
    expect(round?.record.participants).toHaveLength(vectorIsIn ? 5 : 4);
    expect(round?.record.dropped).toEqual(vectorIsIn || silentAt === 'advert' ? [] : ['partner-2']);
  });

  it.each(['shares', 'update', 'agree', 'unmask'] as const)(
    'ends in a typed failure, publishes nothing and tries again when too many fall silent before their %s',
    (silentAt) => {
      const world = createWorld(5);
      const gone = [fromMember(world, 0), fromMember(world, 3), fromMember(world, 4)];
      const from = ANSWERS.indexOf(silentAt);
      playRound(
        world,
        (input) =>
          gone.some((is) => is(input)) && ANSWERS.indexOf(input.type as (typeof ANSWERS)[number]) >= from,
      );
      expect(published(world)).toEqual([]);
      expect(world.state).toMatchObject({ stage: { kind: 'gathering' }, attempts: 1, status: 'running' });
      expect(world.effects).toContainEqual(
        expect.objectContaining({
          kind: 'abandoned',
          data: expect.objectContaining({ code: 'below-threshold' }),
        }),
      );
      playRound(world);
      expect(published(world)[0]?.record).toMatchObject({ round: 1, attempts: 2 });
    },
  );

  it('closes a phase early when the quorum is out of reach, without waiting for the patience', () => {
    const world = createWorld(4);
    world.open();
    world.settle((input) => input.type === 'shares');
    const { stage } = world.state;
    if (stage.kind !== 'attempt') throw new Error(stage.kind);
    for (const { id } of world.partners.slice(0, 2)) {
      const message = {
        type: 'leave' as const,
        attempt: stage.open.secagg.attempt,
        code: 'training-failed' as const,
        reason: '',
        convict: [],
      };
      world.take({ type: 'leave', member: id, message });
    }
    expect(world.state.stage.kind).toBe('gathering');
  });
});

describe('inputs that the machine refuses change nothing', () => {
  it('a message for an attempt that is over: wrong round number, replayed message', () => {
    const world = createWorld(3);
    world.open();
    const [old] = world.inbox;
    world.settle();
    world.sum();
    world.open();
    const before = world.state;
    expect(() => world.take(old!)).toThrow(expect.objectContaining({ code: 'wrong-attempt' }));
    expect(world.state).toBe(before);
  });

  it('a duplicate answer is the same state: not journalled twice', () => {
    const world = createWorld(4);
    world.open();
    const advert = world.inbox.shift()!;
    world.take(advert);
    const before = world.state;
    world.take(advert);
    expect(world.state).toBe(before);
  });

  it('an update after the survivors are frozen is late, a second different one a conflict', () => {
    const world = createWorld(5);
    const updates: RoundInput[] = [];
    world.open();
    world.settle((input) => input.type === 'update' && updates.push(input) > 0);
    for (const update of updates.slice(0, 4)) world.take(update);
    const first = updates[0] as Extract<RoundInput, { type: 'update' }>;
    expect(() => world.take({ ...first, sha256: 'f'.repeat(64) })).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
    world.take({ type: 'close', why: 'grace' });
    expect(() => world.take(updates[4]!)).toThrow(expect.objectContaining({ code: 'late' }));
  });

  it('a stranger’s message', () => {
    const world = createWorld(4);
    world.open(world.partners.slice(0, 3));
    const advert = world.inbox[0] as Extract<RoundInput, { type: 'advert' }>;
    expect(() => world.take({ ...advert, member: world.partners[3]!.id })).toThrow(TributaryError);
  });
});

describe('who takes part', () => {
  it('a dealer accused by one member sits out together with its accuser; accused by more than c, alone', () => {
    for (const accusers of [[1], [1, 2]]) {
      const world = createWorld(5);
      world.open();
      world.settle((input) => input.type === 'update');
      const { stage } = world.state;
      if (stage.kind !== 'attempt') throw new Error(stage.kind);
      const dealer = world.partners[0]!.id;
      for (const index of accusers) {
        const leave = {
          attempt: stage.open.secagg.attempt,
          code: 'bad-share' as const,
          reason: '',
          convict: [dealer],
        };
        world.take({
          type: 'leave',
          member: world.partners[index]!.id,
          message: { type: 'leave', ...leave },
        });
      }
      world.take({ type: 'restarted', damaged: ['any'] });
      const expected = accusers.length > 1 ? [dealer] : [dealer, world.partners[1]!.id];
      expect([...world.state.excluded].sort()).toEqual(expected.sort());
    }
  });

  it('who sent a vector on this base says so and sits out until the model changes', () => {
    const world = createWorld(4);
    world.open();
    const { stage } = world.state;
    if (stage.kind !== 'attempt') throw new Error(stage.kind);
    const { id } = world.partners[0]!;
    const message = {
      type: 'leave' as const,
      attempt: stage.open.secagg.attempt,
      code: 'sits-out' as const,
      reason: '',
      convict: [],
    };
    world.take({ type: 'leave', member: id, message });
    expect(world.state.sittingOut).toEqual([id]);
    world.settle(fromMember(world, 0));
    world.sum();
    expect(world.state.sittingOut).toEqual([]);
  });
});

describe('what ends a run', () => {
  it('cancelling, in any phase, tells the partners and discards the attempt', () => {
    for (let taken = 0; taken < 20; taken++) {
      const world = createWorld(4);
      world.open();
      for (let i = 0; i < taken && world.inbox.length > 0; i++) world.take(world.inbox.shift()!);
      const effects = world.take({ type: 'cancel', by: 'ada' });
      expect(world.state).toMatchObject({ status: 'cancelled', stage: { kind: 'ended' } });
      expect(effects.map((effect) => effect.type)).toContain('discard');
      expect(() => world.take({ type: 'cancel', by: 'ada' })).toThrow(
        expect.objectContaining({ code: 'wrong-phase' }),
      );
    }
  });

  it('pausing opens no further attempt, and loses nothing of the one that is open', () => {
    const world = createWorld(3, testPlan({ rounds: 3 }));
    world.open();
    const effects = world.take({ type: 'pause', by: 'ada' });
    expect(effects.map((effect) => effect.type)).toEqual(['run-changed', 'event']);
    expect(world.take({ type: 'pause', by: 'bob' })).toEqual([]);
    world.settle();
    world.sum();
    expect(world.state).toMatchObject({ status: 'paused', head: { round: 1 }, stage: { kind: 'gathering' } });
    expect(() => world.open()).toThrow(expect.objectContaining({ code: 'wrong-phase' }));
    const everybody = world.partners.map(({ id, name }) => ({ member: id, name }));
    expect(gather(world.state, everybody).enough).toBe(false);
    world.take({ type: 'resume', by: 'bob' });
    expect(world.state).toMatchObject({ status: 'running' });
    expect(world.state).not.toHaveProperty('paused');
    playRound(world);
    expect(world.state.head.round).toBe(2);
  });

  it('a run that was paused may be cancelled, and one that is over cannot be paused', () => {
    const world = createWorld(3);
    world.take({ type: 'pause', by: 'ada' });
    expect(world.state.status).toBe('paused');
    world.take({ type: 'resume', by: 'ada' });
    expect(world.state.status).toBe('waiting');
    world.take({ type: 'pause', by: 'ada' });
    world.take({ type: 'cancel', by: 'ada' });
    expect(() => world.take({ type: 'pause', by: 'ada' })).toThrow(
      expect.objectContaining({ code: 'wrong-phase' }),
    );
  });

  it('early stop after the given rounds without a better hold-out loss', () => {
    const world = createWorld(3, testPlan({ rounds: 50, earlyStop: { metric: 'loss', patience: 2 } }));
    for (let round = 0; round < 5 && world.state.stage.kind !== 'ended'; round++) playRound(world);
    expect(world.state).toMatchObject({ status: 'done', head: { round: 3 } });
    expect(world.state.reason).toContain('Early stop');
  });

  it('a mean update beyond the clip is not published', () => {
    const world = createWorld(3);
    world.open();
    world.settle();
    const { stage } = world.state;
    if (stage.kind !== 'summing') throw new Error(stage.kind);
    const result = { sum: '', model: '', weights: '', scalars: [100, 50, 1, 10, 5, 8], norm: 10.5 };
    world.take({ type: 'summed', attempt: stage.open.secagg.attempt, result, bytesDown: 0 });
    expect(published(world)).toEqual([]);
    expect(world.state.stage.kind).toBe('gathering');
  });
});

describe('the journal', () => {
  it('replays to the same state from JSON, step by step, and executes nothing', () => {
    const world = createWorld(5);
    const hashes: string[] = [];
    const taken: string[] = [];
    const original = world.take;
    world.take = (input) => {
      const effects = original(input);
      hashes.push(stateHash(context.crypto, world.state));
      taken.push(JSON.stringify(input));
      return effects;
    };
    playRound(world, fromMember(world, 1));
    playRound(world);
    let state: RunState = JSON.parse(JSON.stringify(createWorldStart(world)));
    const replayed = world.journal.map(({ input, now }) => {
      state = JSON.parse(JSON.stringify(step(state, JSON.parse(JSON.stringify(input)), now, context).state));
      return stateHash(context.crypto, state);
    });
    expect(replayed.at(-1)).toBe(stateHash(context.crypto, world.state));
    expect(hashes).toEqual(expect.arrayContaining(replayed));
    expect(state).toEqual(JSON.parse(JSON.stringify(world.state)));
  });

  it('holds no vector and no secret of a partner that took part: only what partners sent', () => {
    const world = createWorld(3);
    playRound(world);
    const sizes = world.journal.map(({ input }) => JSON.stringify(input).length);
    expect(Math.max(...sizes)).toBeLessThan(20_000);
  });
});

function createWorldStart(world: World): RunState {
  const { id, plan, planHash, parameters } = world.state;
  const fresh = createWorld(1, plan).state;
  return createRun({ id, plan, planHash, parameters, model: fresh.head.model, weights: fresh.head.weights });
}
