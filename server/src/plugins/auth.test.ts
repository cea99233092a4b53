import { PEOPLE_ROLES } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../storage/memory.ts';
import { openSqliteStore } from '../storage/sqlite/store.ts';
import { createFixture, type Fixture, type Node, newIdentity, sha } from '../transport/http/fixture.ts';

for (const [name, open] of [
  ['memory', async () => createMemoryStore()],
  ['SQLite', (folder: string) => openSqliteStore(folder)],
] as const)
  describe(`authorization over ${name}`, () => {
    let fixture: Fixture;
    let node: Node;
    const get = (url: string, authorization?: string) =>
      fixture.fastify.inject({ method: 'GET', url, headers: authorization ? { authorization } : {} });
    const bearer = (token: string) => `Bearer ${token}`;
    beforeEach(async () => {
      fixture = await createFixture(open);
      node = await fixture.enrol('alice');
    });
    afterEach(() => fixture.close());

    describe('of people', () => {
      it('refuses no token, a wrong one, another scheme and a nearly right one', async () => {
        const wrong = [
          undefined,
          'Bearer',
          'Bearer trib_',
          bearer(`${fixture.admin}x`),
          `Basic ${fixture.admin}`,
        ];
        const swapped = fixture.admin.at(-1) === 'A' ? 'E' : 'A';
        wrong.push(bearer(fixture.admin.slice(0, -1) + swapped), bearer(sha(fixture.admin)));
        for (const header of wrong) {
          const response = await get('/v1/tokens', header);
          expect(response.statusCode, header).toBe(401);
          expect(response.json().code).toBe('unauthenticated');
          expect(response.headers['www-authenticate']).toBe('Bearer');
        }
        expect((await get('/v1/tokens', bearer(fixture.admin))).statusCode).toBe(200);
      });

      it('lets each role do what its row says, and nothing above', async () => {
        const needs = [
          ['GET', '/v1/tokens', 'admin'],
          ['POST', '/v1/tokens', 'admin'],
          ['DELETE', '/v1/tokens/x', 'admin'],
          ['POST', '/v1/partners/invites', 'operator'],
          ['POST', '/v1/partners/alice/suspend', 'operator'],
          ['POST', '/v1/partners/alice/resume', 'operator'],
          ['DELETE', '/v1/partners/nobody', 'operator'],
          ['PUT', `/v1/blobs/${sha('x')}`, 'operator'],
          ['POST', '/v1/runs', 'operator'],
          ['POST', '/v1/runs/r1/cancel', 'operator'],
          ['POST', '/v1/runs/r1/pause', 'operator'],
          ['POST', '/v1/runs/r1/resume', 'operator'],
          ['GET', '/v1/partners', 'researcher'],
          ['GET', '/v1/runs', 'researcher'],
          ['GET', '/v1/runs/r1', 'researcher'],
          ['GET', '/v1/runs/r1/events', 'researcher'],
          ['GET', '/v1/models', 'researcher'],
          ['GET', `/v1/blobs/${sha('x')}`, 'researcher'],
        ] as const;
        for (const role of PEOPLE_ROLES) {
          const authorization = bearer(await fixture.token(role));
          for (const [method, url, needed] of needs) {
            const { statusCode } = await fixture.fastify.inject({ method, url, headers: { authorization } });
            const allowed = PEOPLE_ROLES.indexOf(role) <= PEOPLE_ROLES.indexOf(needed);
            if (allowed) expect([401, 403], `${role} ${method} ${url}`).not.toContain(statusCode);
            else expect(statusCode, `${role} ${method} ${url}`).toBe(403);
          }
        }
      });

      it('forgets a removed token at once, and keeps the last administrator', async () => {
        const token = await fixture.token('researcher');
        const { name } = (await get('/v1/tokens', bearer(fixture.admin)))
          .json()
          .find((row: { role: string }) => row.role === 'researcher');
        const remove = (url: string) =>
          fixture.fastify.inject({
            method: 'DELETE',
            url,
            headers: { authorization: bearer(fixture.admin) },
          });
        expect((await remove(`/v1/tokens/${name}`)).statusCode).toBe(204);
        expect((await remove(`/v1/tokens/${name}`)).statusCode).toBe(404);
        expect((await get('/v1/runs', bearer(token))).statusCode).toBe(401);
        expect((await remove('/v1/tokens/admin')).statusCode).toBe(409);
        expect((await get('/v1/tokens', bearer(fixture.admin))).statusCode).toBe(200);
      });

      it('never lets a person into a node’s route', async () => {
        expect((await get('/v1/members', bearer(fixture.admin))).statusCode).toBe(401);
      });
    });

    describe('of nodes', () => {
      it('takes a signed request once: a replay is refused', async () => {
        const header = node.signed('GET', '/v1/members');
        expect((await get('/v1/members', header)).json()).toEqual([
          { name: 'alice', key: node.identity.id, role: 'partner' },
        ]);
        const replay = await get('/v1/members', header);
        expect(replay.statusCode).toBe(401);
        expect(replay.json().message).toContain('used before');
      });

      it('keeps refusing the replay as long as its time is accepted, and then because of its time', async () => {
        const header = node.signed('GET', '/v1/members', { time: fixture.state.now + 299_000 });
        expect((await get('/v1/members', header)).statusCode).toBe(200);
        for (let minute = 0; minute < 12; minute++) {
          fixture.state.now += 60_000;
          expect((await get('/v1/members', header)).statusCode).toBe(401);
        }
      });

      it('refuses a signed request for another path, method, coordinator, time or by a stranger', async () => {
        const stale = fixture.state.now - 301_000;
        const refused = [
          node.signed('GET', '/v1/members?x=1'),
          node.signed('POST', '/v1/members'),
          node.signed('GET', '/v1/members', { coordinator: newIdentity().id }),
          node.signed('GET', '/v1/members', { time: stale }),
          node.signed('GET', '/v1/members').replace(node.identity.id, newIdentity().id),
        ];
        for (const header of refused) expect((await get('/v1/members', header)).statusCode).toBe(401);
      });

      it('takes a session’s counter once: a replay is refused', async () => {
        const header = node.session('GET', '/v1/members');
        expect((await get('/v1/members', header)).statusCode).toBe(200);
        expect((await get('/v1/members', header)).statusCode).toBe(401);
        expect((await get('/v1/members', node.session('GET', '/v1/members'))).statusCode).toBe(200);
      });

      it('does not use up a counter for a request whose MAC is wrong', async () => {
        const forged = node.session('GET', '/v1/partners', '', 500);
        expect((await get('/v1/members', forged)).statusCode).toBe(401);
        expect((await get('/v1/members', node.session('GET', '/v1/members', '', 500))).statusCode).toBe(200);
      });

      it('refuses another node’s session name, and a body vouched for by a GET', async () => {
        const bob = await fixture.enrol('bob');
        const mine = node.session('GET', '/v1/members');
        const theirs = bob.session('GET', '/v1/members');
        const mixed = `${mine.split('.')[0]}.${theirs.split('.').slice(1).join('.')}`;
        expect((await get('/v1/members', mixed)).statusCode).toBe(401);
        expect((await get('/v1/members', node.session('GET', '/v1/members', sha('b')))).statusCode).toBe(401);
      });

      it('shuts a suspended partner out, session or not, and ends its session', async () => {
        const authorization = bearer(fixture.admin);
        const post = (url: string) =>
          fixture.fastify.inject({ method: 'POST', url, headers: { authorization } });
        expect((await post('/v1/partners/alice/suspend')).json().status).toBe('suspended');
        expect(fixture.suspended).toEqual([node.identity.id]);
        expect((await get('/v1/members', node.session('GET', '/v1/members'))).statusCode).toBe(403);
        expect((await get('/v1/members', node.signed('GET', '/v1/members'))).statusCode).toBe(403);
        expect((await post('/v1/partners/alice/resume')).json().status).toBe('active');
        expect((await get('/v1/members', node.signed('GET', '/v1/members'))).statusCode).toBe(200);
        expect((await post('/v1/partners/nobody/suspend')).statusCode).toBe(404);
      });

      it('does not let one node’s signed requests fill the memory', async () => {
        const statuses = new Set<number>();
        for (let i = 0; i < 1001; i++)
          statuses.add((await get('/v1/members', node.signed('GET', '/v1/members'))).statusCode);
        expect([...statuses]).toEqual([200, 429]);
      });
    });

    it('answers too many failures with 429, and never locks out those who are right', async () => {
      const statuses = [];
      for (let i = 0; i < 61; i++) statuses.push((await get('/v1/runs', 'Bearer trib_wrong')).statusCode);
      expect(statuses.slice(0, 60).every((status) => status === 401)).toBe(true);
      expect(statuses[60]).toBe(429);
      expect((await get('/v1/runs', 'Bearer trib_wrong')).headers['retry-after']).toBe('60');
      expect((await get('/v1/runs', bearer(fixture.admin))).statusCode).toBe(200);
      fixture.state.now += 60_000;
      expect((await get('/v1/runs', 'Bearer trib_wrong')).statusCode).toBe(401);
    });

    it('logs who was refused, but no token, secret or authorization, at any level', async () => {
      const token = await fixture.token('operator');
      const invite = await fixture.invite('bob');
      const enrolment = fixture.enrolment(invite);
      const post = (url: string, payload: object, authorization = '') =>
        fixture.fastify.inject({ method: 'POST', url, payload, headers: { authorization } });
      const made = await post('/v1/tokens', { name: 'x', role: 'admin' }, bearer(fixture.admin));
      const invited = await post('/v1/partners/invites', { name: 'carol' }, bearer(token));
      await post('/v1/enrol', { ...enrolment, signature: 'A'.repeat(86) });
      await post('/v1/enrol', enrolment);
      await post('/v1/enrol', enrolment);
      await post('/v1/enrol', { ...enrolment, extra: enrolment.secret });
      for (const broken of [{ secret: enrolment.secret }, { ...enrolment, secret: `${enrolment.secret}\n` }])
        expect((await post('/v1/enrol', broken)).body).not.toContain(enrolment.secret);
      await get('/v1/runs', bearer(`${token}x`));
      const header = node.session('GET', '/v1/members');
      await get('/v1/members', header);
      await get('/v1/members', header);

      const logged = fixture.logged();
      for (const audit of ['token.created', 'partner.invited', 'partner.enrolled', 'auth.refused'])
        expect(logged).toContain(`"audit":"${audit}"`);
      const secrets = [
        fixture.admin,
        token,
        made.json().token,
        enrolment.secret,
        invite,
        invited.json().invite,
      ];
      for (const secret of [...secrets, header.split('.').at(-1)!, enrolment.signature])
        expect(logged).not.toContain(secret);
    });
  });
