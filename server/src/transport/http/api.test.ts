import { ProblemBody, validate } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../storage/memory.ts';
import { createFixture, type Fixture, sha } from './fixture.ts';

describe('the API', () => {
  let fixture: Fixture;
  let authorization: string;
  const call = (method: 'GET' | 'POST', url: string, payload?: unknown, headers = {}) =>
    fixture.fastify.inject({
      method,
      url,
      ...(payload === undefined ? {} : { payload: payload as object }),
      headers: { authorization, ...headers },
    });
  beforeEach(async () => {
    fixture = await createFixture(async () => createMemoryStore());
    authorization = `Bearer ${await fixture.token('operator')}`;
  });
  afterEach(() => fixture.close());

  it('is alive always, ready only when it says so', async () => {
    fixture.state.ready = false;
    expect((await fixture.fastify.inject('/healthz')).statusCode).toBe(200);
    const response = await fixture.fastify.inject('/readyz');
    expect([response.statusCode, response.json().code]).toEqual([503, 'unavailable']);
    expect(response.headers['retry-after']).toBe('5');
    fixture.state.ready = true;
    expect((await fixture.fastify.inject('/readyz')).statusCode).toBe(200);
  });

  it('introduces itself to anybody', async () => {
    const response = await fixture.fastify.inject('/v1/coordinator');
    expect(response.json()).toMatchObject({ key: fixture.coordinator.id, protocol: 1, epoch: 1 });
  });

  it('answers every failure with a Problem that names the rule, and safe headers', async () => {
    const json = { 'content-type': 'application/json' };
    const failures = [
      [await call('GET', '/nothing'), 404, 'not-found'],
      [await call('GET', '/v1/runs/%zz'), 400, 'malformed'],
      [await call('GET', `/v1/runs/${'x'.repeat(500)}`), 400, 'malformed'],
      [await call('GET', '/v1/runs/r9'), 404, 'not-found'],
      [await call('GET', '/v1/runs/r9/events'), 404, 'not-found'],
      [await call('GET', '/v1/runs/r9/events?after=-1'), 400, 'malformed'],
      [await call('GET', '/v1/runs', undefined, { authorization: 'Bearer x' }), 401, 'unauthenticated'],
      [await call('POST', '/v1/tokens', {}), 403, 'forbidden'],
      [await call('POST', '/v1/partners/invites', '{', json), 400, 'malformed'],
      [await call('POST', '/v1/partners/invites', '', json), 400, 'malformed'],
      [await call('POST', '/v1/partners/invites', '{"__proto__":{}}', json), 400, 'malformed'],
      [
        await call('POST', '/v1/partners/invites', 'name=x', { 'content-type': 'text/plain' }),
        400,
        'malformed',
      ],
      [await call('POST', '/v1/partners/invites', { name: 7 }), 400, 'malformed'],
      [await call('POST', '/v1/partners/invites', { name: 'x'.repeat(70_000) }), 413, 'too-large'],
      [await call('POST', '/v1/runs', { plan: {}, model: 'no hash' }), 400, 'malformed'],
      [await call('POST', '/v1/runs', { plan: 'x'.repeat(2_200_000), model: sha('m') }), 413, 'too-large'],
    ] as const;
    for (const [response, status, code] of failures) {
      expect([response.statusCode, response.json().code], response.body).toEqual([status, code]);
      expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(validate(ProblemBody, response.json(), 'problem')).toBeTruthy();
      expect(response.headers['cache-control']).toBe('no-store');
      expect(response.body).not.toMatch(/node_modules|\.ts|at .*:\d+/);
    }
    expect(failures[12][0].json().message).toContain('name');
    for (const index of [0, 3, 6, 12] as const)
      expect(failures[index][0].headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      });
  });

  it('tells nothing about an unknown fault, and logs it', async () => {
    const response = await call('POST', '/v1/runs', { plan: { fault: true }, model: sha('m') });
    expect([response.statusCode, response.json().code]).toEqual([500, 'internal']);
    expect(response.body).not.toContain('secret internals');
    expect(fixture.logged()).toContain('the secret internals of a fault');
  });

  it('starts, shows, lists, pauses, resumes and cancels runs in the caller’s name', async () => {
    const started = await call('POST', '/v1/runs', {
      plan: { note: 'x'.repeat(1_000_000) },
      model: sha('m'),
    });
    expect(started.statusCode).toBe(201);
    expect(started.json().name).toMatch(/^operator-/);
    expect((await call('GET', '/v1/runs')).json()).toHaveLength(1);
    expect((await call('GET', '/v1/runs/r1')).json().id).toBe('r1');
    expect((await call('POST', '/v1/runs/r1/pause')).json().status).toBe('paused');
    expect((await call('POST', '/v1/runs/r1/resume')).json().status).toBe('running');
    expect((await call('POST', '/v1/runs/r1/cancel')).json().status).toBe('cancelled');
    expect((await call('GET', '/v1/models?run=r1')).json()).toEqual([]);
    expect((await call('GET', '/v1/models?run=r1&run=r2')).json().code).toBe('malformed');
    expect(fixture.logged()).toContain('"audit":"run.cancelled"');
  });

  it('streams events as lines, from where the reader left off, and ends with the run', async () => {
    await call('POST', '/v1/runs', { plan: {}, model: sha('m') });
    const response = await call('GET', '/v1/runs/r1/events?after=1');
    expect(response.headers['content-type']).toBe('application/x-ndjson');
    expect(
      response.body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).seq),
    ).toEqual([2, 3]);
  });

  it('stops producing events when the reader is gone', async () => {
    await call('POST', '/v1/runs', { plan: {}, model: sha('m') });
    const reader = new AbortController();
    await watch(reader.signal);
    expect(fixture.state.aborted).toBe(0);
    reader.abort();
    await expect.poll(() => fixture.state.aborted).toBe(1);
  });

  it('ends open event streams properly when the server stops', async () => {
    await call('POST', '/v1/runs', { plan: {}, model: sha('m') });
    const response = await watch();
    const [text] = await Promise.all([response.text(), fixture.fastify.close()]);
    expect(text.trim()).toBe('');
    expect(fixture.state.aborted).toBe(1);
  });

  it('ends the event streams of a token that is removed, and no others', async () => {
    await call('POST', '/v1/runs', { plan: {}, model: sha('m') });
    const response = await watch();
    const other = await fixture.token('researcher');
    const { name } = (await fixture.store.tokens()).find((row) => row.hash === sha(other))!;
    const remove = (token: string) =>
      fixture.fastify.inject({
        method: 'DELETE',
        url: `/v1/tokens/${token}`,
        headers: { authorization: `Bearer ${fixture.admin}` },
      });
    expect((await remove(name)).statusCode).toBe(204);
    expect(fixture.state.aborted).toBe(0);
    const mine = (await fixture.store.tokens()).find((row) => row.hash === sha(authorization.slice(7)))!;
    expect((await remove(mine.name)).statusCode).toBe(204);
    expect((await response.text()).trim()).toBe('');
    expect(fixture.state.aborted).toBe(1);
  });

  /** A stream that stays quiet. */
  async function watch(signal: AbortSignal | null = null): Promise<Response> {
    const url = await fixture.fastify.listen({ port: 0, host: '127.0.0.1' });
    const response = await fetch(`${url}/v1/runs/r1/events?after=10`, { headers: { authorization }, signal });
    expect(response.status).toBe(200);
    return response;
  }
});
