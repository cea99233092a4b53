import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { toBase64 } from '../encoding.ts';
import { identityFromSeed, sign } from '../identity.ts';
import { advertise, checkOrder, openAttempt } from './client-machine.ts';
import { advertAll, createAttempt, take } from './fixtures.ts';
import { expectRefusal, honestRoster, showRoster, withAdverts } from './fixtures-malice.ts';
import type { Announcement } from './statements.ts';

const impostor = identityFromSeed(nodeCrypto, new Uint8Array(32).fill(66));

describe('a lying coordinator’s announcement', () => {
  const { announcement, signature, server, partners } = createAttempt({ n: 3 });
  const { context } = partners[0]!;
  const open = (changed: Partial<Announcement>, signer = server.identity, pinned = server.identity.id) => {
    const statement = { ...announcement, ...changed };
    return () => openAttempt(context, statement, sign(nodeCrypto, signer, 'announcement', statement), pinned);
  };

  it('honest, it opens an attempt', () => {
    expect(open({})()).toMatchObject({ phase: 'announced' });
  });

  it('altered after signing', () => {
    const altered = { ...announcement, model: '0'.repeat(64) };
    expect(() => openAttempt(context, altered, signature, server.identity.id)).toThrow(
      expect.objectContaining({ code: 'bad-signature' }),
    );
  });

  it('signed by another key than the pinned one', () => {
    expect(open({}, impostor)).toThrow(expect.objectContaining({ code: 'bad-signature' }));
    expect(open({ coordinator: impostor.id }, impostor)).toThrow(
      expect.objectContaining({ code: 'wrong-coordinator' }),
    );
  });

  it('lowers t by a c below the client’s own', () => {
    const strict = { ...context, floors: { ...context.floors, collusion: 2 } };
    expect(() => openAttempt(strict, announcement, signature, server.identity.id)).toThrow(
      'collusion is 2, the announcement assumes c = 1',
    );
  });

  it('speaks another version', () => {
    expect(open({ version: 2 as 1 })).toThrow(expect.objectContaining({ code: 'unsupported-version' }));
  });

  it('is refused by the durable ledger', () => {
    const ledger = () => {
      throw new Error('seen before');
    };
    expect(() => openAttempt(context, announcement, signature, server.identity.id, ledger)).toThrow(
      'seen before',
    );
  });
});

describe('a stale announcement', () => {
  const seen = { epoch: 3, run: 'run-1', round: 4, attempt: 2 };
  it.each([
    ['the same again', {}, 'stale-announcement'],
    ['an earlier attempt', { attempt: 1 }, 'stale-announcement'],
    ['an earlier round', { round: 3, attempt: 9 }, 'stale-announcement'],
    ['an earlier round of a raised epoch', { epoch: 4, round: 3 }, 'stale-announcement'],
    ['an older epoch', { epoch: 2, round: 9 }, 'stale-epoch'],
    ['an older epoch in another run', { epoch: 2, run: 'run-2' }, 'stale-epoch'],
  ])('%s is refused', (_, change, code) => {
    expect(() => checkOrder(seen, { ...seen, ...change })).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ['the next attempt', { attempt: 3 }],
    ['the next round', { round: 5, attempt: 1 }],
    ['the next epoch', { epoch: 4, attempt: 3 }],
    ['an earlier attempt of the round in the next epoch', { epoch: 4, attempt: 1 }],
    ['another run', { run: 'run-2', round: 1, attempt: 1 }],
  ])('%s is not', (_, change) => {
    expect(() => checkOrder(seen, { ...seen, ...change })).not.toThrow();
    expect(() => checkOrder(null, { ...seen, ...change })).not.toThrow();
  });
});

describe('two announcements for one attempt', () => {
  it('with two models: no roster holds members of both, since adverts bind the announcement', () => {
    const first = createAttempt({ n: 4 });
    const second = createAttempt({ n: 4, fields: { model: 'f'.repeat(64) } });
    advertAll(first);
    advertAll(second);
    const mixed = withAdverts(honestRoster(first), [
      ...honestRoster(first).adverts.slice(0, 2),
      ...honestRoster(second).adverts.slice(2),
    ]);
    const victim = first.partners[0]!;
    expectRefusal(victim.state, showRoster(first, victim, mixed), 'wrong-attempt', 'announcement');
  });

  it('that differ in their nonce alone have nothing in common', () => {
    const first = createAttempt({ n: 3 });
    const second = createAttempt({ n: 3, fields: { nonce: toBase64(new Uint8Array(16)) } });
    advertAll(first);
    advertAll(second);
    const victim = first.partners[0]!;
    expectRefusal(victim.state, showRoster(first, victim, honestRoster(second)), 'wrong-attempt');
  });
});

it('advertising again gives the same keys, so that no second pair can be had', () => {
  const { partners } = createAttempt({ n: 3 });
  const partner = partners[0]!;
  const first = take(partner, advertise(partner.state, partner.context, partner.random)).advert;
  const again = take(partner, advertise(partner.state, partner.context, partner.random)).advert;
  expect(again).toBe(first);
});
