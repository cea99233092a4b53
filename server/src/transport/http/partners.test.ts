import { randomBytes } from 'node:crypto';
import { decodeInvite, toBase64 } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../storage/memory.ts';
import { openSqliteStore } from '../../storage/sqlite/store.ts';
import { createFixture, type Fixture, newIdentity } from './fixture.ts';

for (const [name, open] of [
  ['memory', async () => createMemoryStore()],
  ['SQLite', (folder: string) => openSqliteStore(folder)],
] as const)
  describe(`partners over ${name}`, () => {
    let fixture: Fixture;
    let authorization: string;
    const post = (url: string, payload?: object, headers = {}) =>
      fixture.fastify.inject({ method: 'POST', url, ...(payload && { payload }), headers });
    const enrol = async (payload: object) => {
      const response = await post('/v1/enrol', payload);
      return [response.statusCode, response.json().code];
    };
    beforeEach(async () => {
      fixture = await createFixture(open);
      authorization = `Bearer ${await fixture.token('operator')}`;
    });
    afterEach(() => fixture.close());

    it('invites, enrols once, and lists', async () => {
      const response = await post('/v1/partners/invites', { name: 'alice' }, { authorization });
      expect(response.statusCode).toBe(201);
      const { invite, expires } = response.json();
      expect(expires).toBe(fixture.state.now + 7 * 86_400_000);
      expect(decodeInvite(invite)).toMatchObject({
        url: 'http://coordinator.example',
        key: fixture.coordinator.id,
        name: 'alice',
        role: 'partner',
        expires,
      });
      const list = async () =>
        (await fixture.fastify.inject({ url: '/v1/partners', headers: { authorization } })).json();
      expect(await list()).toMatchObject([
        { name: 'alice', status: 'invited', key: null, fingerprint: null },
      ]);

      const identity = newIdentity();
      const enrolled = await post('/v1/enrol', fixture.enrolment(invite, identity));
      expect(enrolled.statusCode).toBe(201);
      expect(enrolled.json()).toEqual({
        name: 'alice',
        role: 'partner',
        members: [{ name: 'alice', key: identity.id, role: 'partner' }],
      });
      expect(await list()).toMatchObject([{ name: 'alice', status: 'active', key: identity.id }]);
      expect(await enrol(fixture.enrolment(invite))).toEqual([403, 'invite-invalid']);
    });

    it('refuses an expired invite and a made-up one', async () => {
      const invite = await fixture.invite('alice');
      fixture.state.now += 7 * 86_400_000;
      expect(await enrol(fixture.enrolment(invite))).toEqual([403, 'invite-invalid']);
      const identity = newIdentity();
      const guess = { secret: toBase64(randomBytes(32)) };
      expect(await enrol(fixture.enrolment(invite, identity, guess))).toEqual([401, 'bad-signature']);
    });

    it('refuses a key whose holder did not sign: nobody enrols another’s key', async () => {
      const invite = await fixture.invite('alice');
      const victim = newIdentity();
      expect(await enrol(fixture.enrolment(invite, newIdentity(), { key: victim.id }))).toEqual([
        401,
        'bad-signature',
      ]);
      expect((await enrol(fixture.enrolment(invite)))[0]).toBe(201);
    });

    it('refuses a key that is enrolled already, under any name', async () => {
      const alice = await fixture.enrol('alice');
      const invite = await fixture.invite('bob');
      expect(await enrol(fixture.enrolment(invite, alice.identity))).toEqual([409, 'conflict']);
    });

    it('refuses names that are no names, and unknown fields', async () => {
      for (const payload of [
        { name: '../alice' },
        { name: '' },
        { name: 'a\nb' },
        { name: 'x'.repeat(101) },
        { name: 'alice', ttl: 1 },
        { name: 'alice', rolle: 'partner' },
        [],
      ]) {
        const response = await post('/v1/partners/invites', payload, { authorization });
        expect(response.statusCode).toBe(400);
        expect(response.json().code).toBe('malformed');
      }
      expect(await fixture.store.partners()).toEqual([]);
    });

    it('removes a partner at once, or an invite that nobody has used', async () => {
      const alice = await fixture.enrol('alice');
      await fixture.invite('bob');
      const remove = (name: string) =>
        fixture.fastify.inject({ method: 'DELETE', url: `/v1/partners/${name}`, headers: { authorization } });
      for (const name of ['alice', 'bob']) expect((await remove(name)).statusCode).toBe(204);
      expect((await remove('alice')).statusCode).toBe(404);
      expect(fixture.suspended).toEqual([alice.identity.id]);
      const members = await fixture.fastify.inject({
        method: 'GET',
        url: '/v1/members',
        headers: { authorization: alice.signed('GET', '/v1/members') },
      });
      expect(members.statusCode).toBe(401);
      expect(await fixture.store.partners()).toEqual([]);
    });

    it('does not invite over an enrolled partner', async () => {
      await fixture.enrol('alice');
      expect((await post('/v1/partners/invites', { name: 'alice' }, { authorization })).statusCode).toBe(409);
      expect((await post('/v1/partners/bob/suspend', undefined, { authorization })).statusCode).toBe(404);
      await fixture.invite('bob');
      expect((await post('/v1/partners/bob/suspend', undefined, { authorization })).statusCode).toBe(409);
    });
  });
