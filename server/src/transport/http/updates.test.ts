import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../storage/memory.ts';
import { ATTEMPT, createFixture, type Fixture, type Node, sha, UPDATE_BYTES } from './fixture.ts';

const UPDATE = randomBytes(UPDATE_BYTES);
const PATH = `/v1/updates/${ATTEMPT}`;

/** Over real sockets: what a refused sender sees depends on them. */
describe('updates', () => {
  let fixture: Fixture;
  let node: Node;
  let port: number;
  beforeEach(async () => {
    fixture = await createFixture(async () => createMemoryStore());
    node = await fixture.enrol('alice');
    await fixture.fastify.listen({ port: 0, host: '127.0.0.1' });
    port = (fixture.fastify.server.address() as AddressInfo).port;
  });
  afterEach(() => fixture.close());

  function open(authorization: string, headers: object, path = PATH) {
    const sending = request({
      port,
      path,
      method: 'PUT',
      headers: { authorization, 'content-type': 'application/octet-stream', ...headers },
    });
    const answer = new Promise<{ status: number; code?: string; accepted?: boolean }>((resolve, reject) => {
      sending.on('error', reject);
      sending.on('response', async (response: IncomingMessage) => {
        let text = '';
        for await (const chunk of response) text += chunk;
        resolve({ status: response.statusCode!, ...JSON.parse(text) });
      });
    });
    return { sending, answer };
  }
  function put(authorization: string, body: Buffer, headers: object = {}, path = PATH) {
    const { sending, answer } = open(authorization, { 'content-length': body.length, ...headers }, path);
    sending.end(body);
    return answer;
  }

  it('are durable and counted when they are acknowledged', async () => {
    expect(await put(node.session('PUT', PATH, UPDATE), UPDATE)).toEqual({ status: 200, accepted: true });
    expect(readFileSync(fixture.spool.path(ATTEMPT, node.identity.id)).equals(UPDATE)).toBe(true);
    expect(fixture.received.get(node.identity.id)).toBe(sha(UPDATE));
  });

  it('are accepted again with the same hash, refused with another: the first write wins', async () => {
    await put(node.session('PUT', PATH, UPDATE), UPDATE);
    expect((await put(node.session('PUT', PATH, UPDATE), UPDATE)).status).toBe(200);
    const other = randomBytes(UPDATE_BYTES);
    expect(await put(node.session('PUT', PATH, other), other)).toMatchObject({
      status: 409,
      code: 'conflict',
    });
    expect(readFileSync(fixture.spool.path(ATTEMPT, node.identity.id)).equals(UPDATE)).toBe(true);
  });

  it('are taken chunked, without an announced length', async () => {
    const { sending, answer } = open(node.session('PUT', PATH, UPDATE), { 'transfer-encoding': 'chunked' });
    sending.write(UPDATE.subarray(0, 700_000));
    sending.end(UPDATE.subarray(700_000));
    expect((await answer).status).toBe(200);
  });

  it('are refused when the body is not the one that the session vouched for', async () => {
    const altered = Buffer.from(UPDATE);
    altered[UPDATE_BYTES - 1]! ^= 1;
    expect(await put(node.session('PUT', PATH, UPDATE), altered)).toMatchObject({
      status: 422,
      code: 'hash-mismatch',
    });
    expect(fixture.received.size).toBe(0);
    expect(await fixture.spool.list()).toEqual([]);
  });

  it('are refused when they are too long, too short, or longer than announced', async () => {
    const long = Buffer.concat([UPDATE, Buffer.alloc(1)]);
    const short = UPDATE.subarray(1);
    expect(await put(node.session('PUT', PATH, long), long)).toMatchObject({
      status: 413,
      code: 'too-large',
    });
    expect(await put(node.session('PUT', PATH, short), short)).toMatchObject({
      status: 400,
      code: 'malformed',
    });
    const { sending, answer } = open(node.session('PUT', PATH, long), { 'transfer-encoding': 'chunked' });
    sending.end(long);
    expect(await answer).toMatchObject({ status: 413, code: 'too-large' });
    expect(fixture.received.size).toBe(0);
    expect(await fixture.spool.list()).toEqual([]);
  });

  it('start over when they are sent whole after they broke off', async () => {
    const { sending, answer } = open(node.session('PUT', PATH, UPDATE), { 'content-length': UPDATE_BYTES });
    sending.write(UPDATE.subarray(0, 800_000));
    setTimeout(() => sending.destroy(), 100);
    await expect(answer).rejects.toThrow();
    expect((await put(node.session('PUT', PATH, UPDATE), UPDATE)).status).toBe(200);
    expect(readFileSync(fixture.spool.path(ATTEMPT, node.identity.id)).equals(UPDATE)).toBe(true);
    expect(partsOf(fixture)).toBe(0);
  });

  it('of one member at the same time do not fill the disk: the newest takes the place of the others', async () => {
    const begin = () => {
      const upload = open(node.session('PUT', PATH, UPDATE), { 'content-length': UPDATE_BYTES });
      upload.sending.write(UPDATE.subarray(0, UPDATE_BYTES - 1));
      return upload;
    };
    let cutOff = 0;
    for (const { answer } of [begin(), begin(), begin(), begin()]) answer.catch(() => cutOff++);
    await expect.poll(() => cutOff, { timeout: 5000 }).toBe(3);
    const newest = begin();
    await expect.poll(() => cutOff, { timeout: 5000 }).toBe(4);
    await expect.poll(() => partsOf(fixture)).toBe(1);
    newest.sending.end(UPDATE.subarray(UPDATE_BYTES - 1));
    expect((await newest.answer).status).toBe(200);
  });

  it('need the session: a signature, a token or a replayed authorization is refused', async () => {
    const used = node.session('PUT', PATH, UPDATE);
    await put(used, UPDATE);
    expect(await put(used, UPDATE)).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect((await put(node.signed('PUT', PATH), UPDATE)).status).toBe(401);
    expect((await put(`Bearer ${fixture.admin}`, UPDATE)).status).toBe(401);
  });

  it('of unknown attempts are refused, and of names that are none', async () => {
    const other = `/v1/updates/${sha('other')}`;
    expect(await put(node.session('PUT', other, UPDATE), UPDATE, {}, other)).toMatchObject({
      status: 409,
      code: 'wrong-attempt',
    });
    const trick = '/v1/updates/..%2f..%2fetc';
    expect((await put(node.session('PUT', trick, UPDATE), UPDATE, {}, trick)).status).toBe(400);
  });

  it('that are refused early show their sender the reason, however much it wanted to send', async () => {
    const huge = Buffer.alloc(64 * 1024 * 1024);
    for (let attempt = 0; attempt < 3; attempt++)
      expect(await put('Tributary-Session nonsense', huge)).toMatchObject({
        status: 401,
        code: 'unauthenticated',
      });
  });

  it('that are refused midway are read to their end, so that sender and socket are free again', async () => {
    const huge = Buffer.alloc(64 * 1024 * 1024);
    const { sending, answer } = open(node.session('PUT', PATH, huge), { 'transfer-encoding': 'chunked' });
    const finished = once(sending, 'finish');
    sending.end(huge);
    expect(await answer).toMatchObject({ status: 413, code: 'too-large' });
    await finished;
  });
});

/** Uploads that are being written. */
function partsOf({ spool }: Fixture): number {
  const folder = dirname(spool.path(ATTEMPT, 'A'.repeat(43)));
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.part')).length : 0;
}
