import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { LIMITS } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../storage/memory.ts';
import { createFixture, type Fixture, sha } from './fixture.ts';

const MODEL = randomBytes(1_000_003);
const HASH = sha(MODEL);
const URL = `/v1/blobs/${HASH}`;

describe('blobs', () => {
  let fixture: Fixture;
  let authorization: string;
  const put = (url: string, payload: Buffer, headers = {}) =>
    fixture.fastify.inject({
      method: 'PUT',
      url,
      payload,
      headers: { authorization, 'content-type': 'application/octet-stream', ...headers },
    });
  const get = (headers = {}, url = URL, method: 'GET' | 'HEAD' = 'GET') =>
    fixture.fastify.inject({ method, url, headers: { authorization, ...headers } });
  beforeEach(async () => {
    fixture = await createFixture(async () => createMemoryStore());
    authorization = `Bearer ${await fixture.token('operator')}`;
  });
  afterEach(() => fixture.close());

  it('gives one caller four models at a time, as often as it likes, however slowly it reads', async () => {
    const hashes: string[] = [];
    // Longer than what the kernel takes of a connection that nobody reads.
    for (let i = 0; i < 5; i++) hashes.push(await fixture.blobs.put(Buffer.alloc(16_000_000, i)));
    const at = (hash: string) => `/v1/blobs/${hash}`;
    await fixture.fastify.listen({ port: 0, host: '127.0.0.1' });
    const { port } = fixture.fastify.server.address() as AddressInfo;
    const unread = hashes.slice(0, 4).map((hash) => {
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET ${at(hash)} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
      return socket;
    });
    await Promise.all(unread.map((socket) => once(socket, 'readable')));
    expect((await get({}, at(hashes[4]!))).json().code).toBe('rate-limited');
    expect((await get({}, at(hashes[0]!))).statusCode).toBe(200);
    const other = { authorization: `Bearer ${await fixture.token('researcher')}` };
    expect((await get(other, at(hashes[4]!))).statusCode).toBe(200);
    for (const socket of unread) socket.destroy();
    await expect.poll(async () => (await get({}, at(hashes[4]!))).statusCode).toBe(200);
  });

  it('takes a model, twice, and gives it back byte for byte', async () => {
    expect((await put(URL, MODEL)).statusCode).toBe(201);
    expect((await put(URL, MODEL)).json()).toEqual({ sha256: HASH, bytes: MODEL.length });
    const response = await get();
    expect(response.statusCode).toBe(200);
    expect(response.rawPayload.equals(MODEL)).toBe(true);
    expect(response.headers).toMatchObject({
      etag: `"${HASH}"`,
      'accept-ranges': 'bytes',
      'content-length': String(MODEL.length),
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
      'cache-control': 'private, max-age=31536000, immutable',
    });
    expect(fixture.sent).toEqual([{ hash: HASH, member: null, bytes: MODEL.length }]);
  });

  it('refuses bytes of another hash and keeps nothing', async () => {
    const response = await put(`/v1/blobs/${sha('other')}`, MODEL);
    expect([response.statusCode, response.json().code]).toEqual([422, 'hash-mismatch']);
    expect((await get({}, `/v1/blobs/${sha('other')}`)).statusCode).toBe(404);
    expect(await fixture.blobs.has(HASH)).toBe(false);
  });

  it('refuses what announces more than the limit, before reading it', async () => {
    const response = await put(URL, MODEL.subarray(0, 10), { 'content-length': String(LIMITS.blob + 1) });
    expect([response.statusCode, response.json().code]).toEqual([413, 'too-large']);
  });

  it('refuses path tricks and other forms of a hash', async () => {
    for (const trick of [
      '..%2f..%2fetc%2fpasswd',
      '..',
      '%2e%2e',
      HASH.toUpperCase(),
      `${HASH}%00`,
      `${HASH}0`,
      '%',
    ]) {
      const got = await get({}, `/v1/blobs/${trick}`);
      expect([400, 404], trick).toContain(got.statusCode);
      expect(['malformed', 'not-found'], trick).toContain(got.json().code);
      expect([400, 404], trick).toContain((await put(`/v1/blobs/${trick}`, MODEL)).statusCode);
    }
  });

  it('refuses a body that is no octet stream', async () => {
    const response = await put(URL, Buffer.from('{}'), { 'content-type': 'application/json' });
    expect([response.statusCode, response.json().code]).toEqual([400, 'malformed']);
    expect((await put(URL, MODEL, { 'content-type': 'text/html' })).statusCode).toBe(400);
  });

  it('gives parts, the rest from where a download broke off, and refuses parts outside', async () => {
    await put(URL, MODEL);
    const part = await get({ range: 'bytes=1000-1999' });
    expect(part.statusCode).toBe(206);
    expect(part.headers['content-range']).toBe(`bytes 1000-1999/${MODEL.length}`);
    expect(part.rawPayload.equals(MODEL.subarray(1000, 2000))).toBe(true);
    const rest = await get({ range: `bytes=${MODEL.length - 3}-`, 'if-range': `"${HASH}"` });
    expect(rest.rawPayload.equals(MODEL.subarray(-3))).toBe(true);
    const outside = await get({ range: `bytes=${MODEL.length}-` });
    expect(outside.statusCode).toBe(416);
    expect(outside.headers['content-range']).toBe(`bytes */${MODEL.length}`);
    expect((await get({ range: 'bytes=0-1,3-4' })).statusCode).toBe(200);
    expect(fixture.sent.map(({ bytes }) => bytes)).toEqual([1000, 3, MODEL.length]);
  });

  it('sends nothing to who has it already, and counts nothing for a HEAD', async () => {
    await put(URL, MODEL);
    const response = await get({ 'if-none-match': `"${HASH}"` });
    expect([response.statusCode, response.body]).toEqual([304, '']);
    const head = await get({}, URL, 'HEAD');
    expect(head.headers['content-length']).toBe(String(MODEL.length));
    expect(head.body).toBe('');
    expect(fixture.sent).toEqual([]);
  });

  it('serves nodes, by session and by signature, and counts for whom; nobody else', async () => {
    await put(URL, MODEL);
    const node = await fixture.enrol('alice');
    expect((await get({ authorization: node.session('GET', URL) })).statusCode).toBe(200);
    expect((await get({ authorization: node.signed('GET', URL) })).statusCode).toBe(200);
    expect(fixture.sent).toEqual(
      Array(2).fill({ hash: HASH, member: node.identity.id, bytes: MODEL.length }),
    );
    expect((await get({ authorization: '' })).statusCode).toBe(401);
    expect((await put(URL, MODEL, { authorization: node.session('PUT', URL, MODEL) })).statusCode).toBe(401);
  });
});
