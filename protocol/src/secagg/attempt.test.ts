import { describe, expect, it } from 'vitest';
import { portableCrypto } from '../crypto/index.ts';
import { nodeCrypto } from '../crypto/node.ts';
import { sign } from '../identity.ts';
import { checkSentinels, dequantise, gridOf } from '../ring/index.ts';
import { openAttempt, receiveRoster } from './client-machine.ts';
import { receiveSurvivors } from './client-unmask.ts';
import {
  type Attempt,
  advertAll,
  agreeAll,
  announcementFields,
  createAttempt,
  dealAll,
  frozenSurvivors,
  maskAll,
  type Options,
  plainSum,
  take,
  unmaskAll,
  unmaskedSum,
  uploadAll,
  withMemory,
} from './fixtures.ts';
import { freezeRoster, openServerAttempt } from './server-machine.ts';
import { awaited } from './server-outlook.ts';
import { reconstruct, unmaskReady } from './server-unmask.ts';

/** One whole attempt in which nobody fails but the last `drops` members, after masking. */
function run(options: Options, drops = 0) {
  const attempt = createAttempt(options);
  const alive = attempt.partners.slice(0, options.n - drops);
  advertAll(attempt);
  dealAll(attempt);
  maskAll(attempt);
  uploadAll(attempt, alive);
  agreeAll(attempt, alive);
  unmaskAll(attempt, alive);
  return { attempt, alive };
}

function expectExact({ attempt, alive }: ReturnType<typeof run>): void {
  const sum = unmaskedSum(attempt);
  expect(sum).toEqual(plainSum(attempt));
  checkSentinels(sum, alive.length);
}

describe('an attempt', () => {
  it.each([
    [3, 0],
    [4, 0],
    [4, 1],
    [5, 0],
    [5, 1],
    [6, 2],
    [9, 3],
    [10, 4],
  ])('of %d members without %d of them gives the exact sum', (n, drops) => {
    expectExact(run({ n }, drops));
  });

  it('gives the mean update back within the grid', () => {
    const { attempt, alive } = run({ n: 5 }, 1);
    const mean = new Float32Array(attempt.layout.parameters);
    dequantise(unmaskedSum(attempt), gridOf(5, 1), attempt.layout, alive.length, mean);
    mean.forEach((value, i) => {
      const expected = alive.reduce((sum, { delta }) => sum + delta[i]!, 0) / alive.length;
      expect(Math.abs(value - expected)).toBeLessThan(1e-7);
    });
  });

  it('over several sentinel blocks gives the exact sum', () => {
    expectExact(run({ n: 3, parameters: 140_000 }));
  });

  it('runs on the portable adapter alone', () => {
    expectExact(run({ n: 3, crypto: () => portableCrypto, serverCrypto: portableCrypto }));
  });

  it('runs with portable and node adapters mixed', () => {
    expectExact(run({ n: 4, crypto: (i) => (i % 2 ? portableCrypto : nodeCrypto) }, 1));
  });

  it('gives the same bytes on either adapter', () => {
    const [a, b] = [nodeCrypto, portableCrypto].map((crypto) =>
      run({ n: 3, crypto: () => crypto, serverCrypto: crypto }),
    ) as [ReturnType<typeof run>, ReturnType<typeof run>];
    expect(a.attempt.state).toEqual(b.attempt.state);
    expect(a.attempt.partners.map(({ masked }) => masked)).toEqual(b.attempt.partners.map((p) => p.masked));
  });

  it('of 128 members, the most there may be, loses 40 before they deal and 23 after masking: the exact sum', () => {
    const crypto = withMemory(nodeCrypto);
    const attempt = createAttempt({ n: 128, crypto: () => crypto, serverCrypto: crypto });
    const dealers = attempt.partners.filter((_, i) => i % 16 >= 5);
    const alive = dealers.slice(0, 65);
    expect(dealers.length).toBe(88);
    advertAll(attempt);
    dealAll(attempt, dealers);
    maskAll(attempt, dealers);
    uploadAll(attempt, alive);
    agreeAll(attempt, alive);
    unmaskAll(attempt, alive);
    expectExact({ attempt, alive });
  }, 120_000);

  it('of 129 members is refused by the coordinator', () => {
    const attempt = createAttempt({ n: 129 });
    advertAll(attempt);
    const result = freezeRoster(attempt.state, attempt.server, { minimum: 3 });
    expect(result).toMatchObject({ kind: 'failed', error: { code: 'cohort-too-large' } });
  });

  it('hides every vector: a masked one has no word in common with the quantised one', () => {
    const { attempt } = run({ n: 3, parameters: 1000 });
    for (const { masked, quantised } of attempt.partners) {
      const words = new Uint32Array(masked!.slice().buffer);
      expect(words.filter((word, i) => word === quantised![i]).length).toBeLessThan(2);
    }
  });
});

describe('the coordinator’s state', () => {
  it('is JSON and holds no vector, in every phase', () => {
    const parameters = 5000;
    const attempt = createAttempt({ n: 4, parameters });
    const phases = [advertAll, dealAll, maskAll, uploadAll, agreeAll, unmaskAll];
    for (const phase of phases) {
      phase(attempt);
      const text = JSON.stringify(attempt.state);
      attempt.state = JSON.parse(text) as Attempt['state'];
      // Twelve deals of under a kilobyte are the most of it; a vector alone would be 20,000 bytes and more.
      expect(text.length).toBeLessThan(20_000);
    }
    expect(unmaskedSum(attempt)).toEqual(plainSum(attempt));
  });
});

describe('plain mode', () => {
  it('runs the same phases without deals, masks and unmasking', () => {
    const attempt = createAttempt({ n: 4, mode: 'plain' });
    advertAll(attempt);
    dealAll(attempt);
    maskAll(attempt);
    for (const { masked, quantised } of attempt.partners)
      expect(new Uint32Array(masked!.slice().buffer)).toEqual(quantised);
    uploadAll(attempt, attempt.partners.slice(1));
    const { survivors, signature } = frozenSurvivors(attempt);
    const partner = attempt.partners[1]!;
    const answer = take(partner, receiveSurvivors(partner.state, partner.context, survivors, signature));
    expect(answer.signature).toBeNull();
    expect(unmaskReady(attempt.state)).toBe(true);
    expect(awaited(attempt.state)).toEqual([]);
    expect(reconstruct(attempt.state, attempt.server)).toMatchObject({
      kind: 'order',
      order: { survivors: [], dropped: [] },
    });
    expect(unmaskedSum(attempt)).toEqual(plainSum(attempt));
  });

  it('is refused unless the node allows it', () => {
    const { server, partners } = createAttempt({ n: 3 });
    const plain = openServerAttempt(server, announcementFields({ mode: 'plain' }), []);
    expect(() =>
      openAttempt(partners[0]!.context, plain.announcement, plain.signature, server.identity.id),
    ).toThrow(expect.objectContaining({ code: 'policy-refused' }));
  });
});

describe('a cohort too small for its own c', () => {
  it('cannot be frozen by the coordinator', () => {
    const attempt = createAttempt({ n: 3, c: 3 });
    advertAll(attempt);
    const result = freezeRoster(attempt.state, attempt.server, { minimum: 3 });
    expect(result).toMatchObject({ kind: 'failed', error: { code: 'below-threshold' } });
  });

  it('is refused by the client, whatever the coordinator signs', () => {
    const attempt = createAttempt({ n: 3, c: 3 });
    advertAll(attempt);
    const { partners, server, state } = attempt;
    if (state.phase !== 'advertise') throw new Error('unreachable');
    const roster = {
      coordinator: server.identity.id,
      announcement: state.attempt,
      adverts: partners.map(({ id }) => state.adverts[id]!),
    };
    const signature = sign(nodeCrypto, server.identity, 'roster', roster);
    const { context, random } = partners[0]!;
    const step = receiveRoster(partners[0]!.state, context, roster, signature, random);
    expect(step).toMatchObject({ kind: 'refused', error: { code: 'below-threshold' } });
  });
});
