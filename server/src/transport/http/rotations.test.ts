/** Attacks on the change of a partner's key (PROTOCOL.md 4.8), and what an honest one does. */
import { type Identity, LIMITS, type SignedRotation, sign, signRotation } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../storage/memory.ts';
import { createFixture, type Fixture, newIdentity } from './fixture.ts';

type Node = Awaited<ReturnType<Fixture['enrol']>>;

let fixture: Fixture;
let alice: Node;
let bob: Node;
beforeEach(async () => {
  fixture = await createFixture(async () => createMemoryStore());
  alice = await fixture.enrol('alice');
  bob = await fixture.enrol('bob');
});
afterEach(() => fixture.close());

const signed = (from: Identity, to: Identity, change = {}): SignedRotation =>
  signRotation(nodeCrypto, from, to, {
    ...{ subject: 'member', coordinator: fixture.coordinator.id, time: fixture.state.now, ...change },
  });
async function rotate(payload: SignedRotation): Promise<[number, string | undefined]> {
  const response = await fixture.fastify.inject({ method: 'POST', url: '/v1/rotations', payload });
  return [response.statusCode, response.json().code];
}
const get = async (url: string, authorization: string) =>
  (await fixture.fastify.inject({ url, headers: { authorization } })).json();
it('puts the new key in the place of the old one, ends what the old one had, and says so', async () => {
  const next = newIdentity();
  const response = await fixture.fastify.inject({
    ...{ method: 'POST', url: '/v1/rotations', payload: signed(alice.identity, next) },
  });
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({ name: 'alice', role: 'partner' });
  expect(response.json().members).toContainEqual({ name: 'alice', role: 'partner', key: next.id });
  expect(fixture.suspended).toEqual([alice.identity.id]);
  const partners = await get('/v1/partners', `Bearer ${await fixture.token('researcher')}`);
  expect(partners).toMatchObject([
    { name: 'alice', key: next.id, rotated: fixture.state.now },
    { name: 'bob', rotated: null },
  ]);
  expect(fixture.logged()).toContain('"audit":"partner.rotated"');
  expect(await get('/v1/rotations', bob.signed('GET', '/v1/rotations'))).toEqual([
    signed(alice.identity, next),
  ]);
});

it('the old key opens nothing any more, with a code of its own', async () => {
  await rotate(signed(alice.identity, newIdentity()));
  for (const authorization of [alice.signed('GET', '/v1/members'), alice.session('GET', '/v1/members')])
    expect(await get('/v1/members', authorization)).toMatchObject({ code: 'key-rotated' });
});

it('the same rotation again is success, also signed anew: the answer may have got lost', async () => {
  const next = newIdentity();
  await rotate(signed(alice.identity, next));
  fixture.state.now += 86_400_000;
  expect(await rotate(signed(alice.identity, next))).toEqual([200, undefined]);
  expect(await get('/v1/rotations', bob.signed('GET', '/v1/rotations'))).toHaveLength(1);
  // Nor is everybody told again, however often it is replayed.
  expect(fixture.suspended).toEqual([alice.identity.id]);
});

it('twice in a row is a chain, and a removed partner’s is not served', async () => {
  const [second, third] = [newIdentity(), newIdentity()];
  await rotate(signed(alice.identity, second));
  await rotate(signed(second, third));
  const served = () => get('/v1/rotations', bob.signed('GET', '/v1/rotations'));
  const authorization = `Bearer ${await fixture.token('operator')}`;
  expect((await served()).map(({ rotation }: SignedRotation) => rotation.new)).toEqual([second.id, third.id]);
  fixture.suspended.length = 0;
  await fixture.fastify.inject({ method: 'DELETE', url: '/v1/partners/alice', headers: { authorization } });
  expect(await served()).toEqual([]);
  // Under its former keys too: a vector of then may be waiting for its sum.
  expect(fixture.suspended.toSorted()).toEqual([alice.identity.id, second.id, third.id].toSorted());
});

describe('is refused', () => {
  const thief = newIdentity();
  it.each<[string, () => SignedRotation | Promise<SignedRotation>, number, string]>([
    [
      'signed by the new key only',
      () => {
        const { rotation, signatures } = signed(alice.identity, thief);
        return {
          rotation,
          signatures: { ...signatures, old: sign(nodeCrypto, thief, 'rotation', rotation) },
        };
      },
      401,
      'bad-signature',
    ],
    [
      'signed by the old key only: the new one may be another’s',
      () => {
        const { rotation, signatures } = signed(alice.identity, thief);
        const old = sign(nodeCrypto, alice.identity, 'rotation', rotation);
        return { rotation, signatures: { ...signatures, new: old } };
      },
      401,
      'bad-signature',
    ],
    ['of a key that is not enrolled', () => signed(thief, newIdentity()), 401, 'unauthenticated'],
    ['to the key of another partner', () => signed(alice.identity, bob.identity), 409, 'conflict'],
    ['to the same key', () => signed(alice.identity, alice.identity), 400, 'malformed'],
    [
      'for another coordinator',
      () => signed(alice.identity, thief, { coordinator: thief.id }),
      421,
      'wrong-coordinator',
    ],
    [
      'of a coordinator, here',
      () => signed(alice.identity, thief, { subject: 'coordinator', coordinator: alice.identity.id }),
      400,
      'malformed',
    ],
    [
      'from long ago',
      () => signed(alice.identity, thief, { time: fixture.state.now - LIMITS.clockSkewMs - 1 }),
      401,
      'unauthenticated',
    ],
    [
      'from the future',
      () => signed(alice.identity, thief, { time: fixture.state.now + LIMITS.clockSkewMs + 1 }),
      401,
      'unauthenticated',
    ],
    [
      'to a key that was replaced before',
      async () => {
        await rotate(signed(bob.identity, newIdentity()));
        return signed(alice.identity, bob.identity);
      },
      409,
      'conflict',
    ],
    [
      'a second one of the same old key',
      async () => {
        await rotate(signed(alice.identity, newIdentity()));
        return signed(alice.identity, thief);
      },
      401,
      'key-rotated',
    ],
    [
      'of a suspended partner',
      async () => {
        await fixture.store.setPartnerStatus('alice', 'suspended');
        return signed(alice.identity, thief);
      },
      403,
      'forbidden',
    ],
    [
      'of a removed partner',
      async () => {
        await fixture.store.removePartner('alice');
        return signed(alice.identity, thief);
      },
      401,
      'unauthenticated',
    ],
  ])('%s', async (_, make, status, code) => {
    const payload = await make();
    const before = await fixture.store.partners();
    const ended = fixture.suspended.length;
    expect(await rotate(payload)).toEqual([status, code]);
    expect(await fixture.store.partners()).toEqual(before);
    expect(fixture.suspended).toHaveLength(ended);
  });

  it('after too many failures of one address', async () => {
    const wrong = signed(newIdentity(), thief);
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 62; i++) codes.push((await rotate(wrong))[1]);
    expect(new Set(codes)).toEqual(new Set(['unauthenticated', 'rate-limited']));
  });

  it('who asks for the rotations of others without being a node', async () => {
    const response = await fixture.fastify.inject({ url: '/v1/rotations' });
    expect(response.statusCode).toBe(401);
    const bearer = `Bearer ${await fixture.token('admin')}`;
    expect(await get('/v1/rotations', bearer)).toMatchObject({ code: 'unauthenticated' });
  });
});
