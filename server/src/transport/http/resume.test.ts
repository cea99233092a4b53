/** Updates that go on after their connection broke, and what must not be able to (PROTOCOL.md 8.5). */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../storage/memory.ts';
import { ATTEMPT, createFixture, type Fixture, type Node, sha, UPDATE_BYTES } from './fixture.ts';

const UPDATE = randomBytes(UPDATE_BYTES);
const PATH = `/v1/updates/${ATTEMPT}`;
const FIRST = 700_001;

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly offset?: number;
}

let fixture: Fixture;
let alice: Node;
let port: number;
beforeEach(async () => {
  fixture = await createFixture(async () => createMemoryStore());
  alice = await fixture.enrol('alice');
  await fixture.fastify.listen({ port: 0, host: '127.0.0.1' });
  port = (fixture.fastify.server.address() as AddressInfo).port;
});
afterEach(() => fixture.close());

function send(method: string, path: string, authorization: string, body?: Buffer): Promise<Answer> {
  const headers = body && { 'content-type': 'application/octet-stream', 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const sending = request({ port, method, path, headers: { authorization, ...headers } });
    sending.on('error', reject).on('response', async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode!, ...(JSON.parse(text) as object) });
    });
    sending.end(body);
  });
}
const ask = (node: Node, whole: Buffer = UPDATE): Promise<Answer> => {
  const path = `${PATH}?sha256=${sha(whole)}`;
  return send('GET', path, node.session('GET', path));
};
const goOn = (node: Node, offset: number | string, body: Buffer, whole: Buffer = UPDATE) => {
  const path = `${PATH}?offset=${offset}`;
  return send('PUT', path, node.session('PUT', path, whole), body);
};
/** Sends the head of an update by hand; the connection stays open and silent. */
async function begin(node: Node, head: Buffer, whole: Buffer = UPDATE) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(
    `PUT ${PATH} HTTP/1.1\r\nhost: x\r\nauthorization: ${node.session('PUT', PATH, whole)}\r\n` +
      `content-type: application/octet-stream\r\ncontent-length: ${UPDATE_BYTES}\r\n\r\n`,
  );
  await new Promise<void>((resolve) => void socket.write(head, () => resolve()));
  await expect.poll(() => parts()).toContain(`${node.identity.id}.${sha(whole)}.part`);
  return socket;
}
const breakOff = async (node: Node, head: Buffer, whole: Buffer = UPDATE) => {
  const socket = await begin(node, head, whole);
  socket.end();
  await expect.poll(async () => (await ask(node, whole)).offset).toBe(head.length);
};
function parts(): string[] {
  try {
    return readdirSync(dirname(fixture.spool.path(ATTEMPT, 'A'.repeat(43)))).filter((n) =>
      n.endsWith('.part'),
    );
  } catch {
    return [];
  }
}
const kept = (node: Node) => readFileSync(fixture.spool.path(ATTEMPT, node.identity.id));

describe('updates that broke off', () => {
  it('go on from the last durable byte, over and over', async () => {
    expect(await ask(alice)).toEqual({ status: 200, offset: 0, bytes: UPDATE_BYTES });
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    expect(await goOn(alice, FIRST, UPDATE.subarray(FIRST))).toEqual({ status: 200, accepted: true });
    expect(kept(alice).equals(UPDATE)).toBe(true);
    expect(fixture.received.get(alice.identity.id)).toBe(sha(UPDATE));
    expect(parts()).toEqual([]);
  });

  it('are complete for whoever lost only the answer, and are acknowledged without a byte more', async () => {
    const path = PATH;
    await send('PUT', path, alice.session('PUT', path, UPDATE), UPDATE);
    expect(await ask(alice)).toMatchObject({ status: 200, offset: UPDATE_BYTES });
    expect((await goOn(alice, UPDATE_BYTES, Buffer.alloc(0))).status).toBe(200);
  });

  it('go on while the socket before is still open and silent: it is cut off', async () => {
    const silent = await begin(alice, UPDATE.subarray(0, FIRST));
    const closed = new Promise((resolve) => silent.once('close', resolve));
    const { offset } = await ask(alice);
    await closed;
    expect(offset).toBeGreaterThan(0);
    expect(await ask(alice)).toMatchObject({ offset });
    expect((await goOn(alice, offset!, UPDATE.subarray(offset!))).status).toBe(200);
    expect(kept(alice).equals(UPDATE)).toBe(true);
  });

  it('of one member that race end in one whole update', async () => {
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    const racing = [
      goOn(alice, FIRST, UPDATE.subarray(FIRST)),
      send('PUT', PATH, alice.session('PUT', PATH, UPDATE), UPDATE),
      goOn(alice, FIRST, UPDATE.subarray(FIRST)),
    ];
    const answers = await Promise.allSettled(racing);
    for (const answer of answers)
      if (answer.status === 'fulfilled' && answer.value.status !== 200)
        expect(['wrong-offset', 'unavailable']).toContain(answer.value.code);
    const { offset } = await ask(alice);
    expect((await goOn(alice, offset!, UPDATE.subarray(offset!))).status).toBe(200);
    expect(kept(alice).equals(UPDATE)).toBe(true);
    expect(parts()).toEqual([]);
  });
});

describe('a resumed update is refused', () => {
  it('at an offset that leaves a gap, overlaps, or is none', async () => {
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    for (const offset of [FIRST + 1, FIRST - 1, 1, UPDATE_BYTES])
      expect(await goOn(alice, offset, UPDATE.subarray(offset))).toMatchObject({
        status: 409,
        code: 'wrong-offset',
      });
    for (const offset of [UPDATE_BYTES + 1, -1, '1e3', '0x10', '', '01', '%20', '1&offset=2', '9'.repeat(20)])
      expect(await goOn(alice, offset, UPDATE.subarray(FIRST))).toMatchObject({
        status: 400,
        code: 'malformed',
      });
    expect(await ask(alice)).toMatchObject({ offset: FIRST });
  });

  it('when it is longer or shorter than what is missing', async () => {
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    expect(await goOn(alice, FIRST, UPDATE.subarray(FIRST - 1))).toMatchObject({ code: 'too-large' });
    expect(await goOn(alice, FIRST, UPDATE.subarray(FIRST + 1))).toMatchObject({ code: 'malformed' });
    expect(await ask(alice)).toMatchObject({ offset: FIRST });
  });

  it('when it is of another update: the first one that began counts, and is not disturbed', async () => {
    const other = randomBytes(UPDATE_BYTES);
    const running = await begin(alice, UPDATE.subarray(0, FIRST));
    expect(await send('PUT', PATH, alice.session('PUT', PATH, other), other)).toMatchObject({
      status: 409,
      code: 'conflict',
    });
    expect(await ask(alice, other)).toMatchObject({ status: 409, code: 'conflict' });
    running.destroy();
    await expect.poll(async () => (await ask(alice)).offset).toBeGreaterThan(0);
    expect(await goOn(alice, FIRST, other.subarray(FIRST), other)).toMatchObject({ code: 'conflict' });
    const { offset } = await ask(alice);
    expect((await goOn(alice, offset!, UPDATE.subarray(offset!))).status).toBe(200);
  });

  it('when another member sends it: each has an update of its own', async () => {
    const mallory = await fixture.enrol('mallory');
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    expect(await ask(mallory)).toMatchObject({ offset: 0 });
    expect(await goOn(mallory, FIRST, UPDATE.subarray(FIRST))).toMatchObject({ code: 'wrong-offset' });
    expect(await ask(alice)).toMatchObject({ offset: FIRST });
    expect(fixture.received.size).toBe(0);
  });

  it('when a proxy moves the authorization to another offset or method, or sends it twice', async () => {
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    const path = `${PATH}?offset=${FIRST}`;
    const stolen = () => alice.session('PUT', path, UPDATE);
    for (const other of [PATH, `${PATH}?offset=0`, `${PATH}?offset=${FIRST + 1}`, `${path}&x=1`])
      expect(await send('PUT', other, stolen(), UPDATE)).toMatchObject({ code: 'unauthenticated' });
    expect(await send('GET', path, stolen())).toMatchObject({ code: 'unauthenticated' });
    const once = stolen();
    expect((await send('PUT', path, once, UPDATE.subarray(FIRST))).status).toBe(200);
    expect(await send('PUT', path, once, UPDATE.subarray(FIRST))).toMatchObject({ code: 'unauthenticated' });
  });

  it('when a proxy altered or added bytes, before the break or after: nothing of it counts or stays', async () => {
    const altered = Buffer.from(UPDATE);
    altered[5]! ^= 1;
    altered[UPDATE_BYTES - 5]! ^= 1;
    await breakOff(alice, altered.subarray(0, FIRST));
    expect(await goOn(alice, FIRST, UPDATE.subarray(FIRST))).toMatchObject({ code: 'hash-mismatch' });
    expect(await ask(alice)).toMatchObject({ offset: 0 });
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    expect(await goOn(alice, FIRST, altered.subarray(FIRST))).toMatchObject({ code: 'hash-mismatch' });
    expect(fixture.received.size).toBe(0);
    expect(parts()).toEqual([]);
    expect((await send('PUT', PATH, alice.session('PUT', PATH, UPDATE), UPDATE)).status).toBe(200);
  });

  it('once the survivors are fixed, also in the middle of its body', async () => {
    await breakOff(alice, UPDATE.subarray(0, FIRST));
    const path = `${PATH}?offset=${FIRST}`;
    const authorization = alice.session('PUT', path, UPDATE);
    const headers = {
      authorization,
      'content-type': 'application/octet-stream',
      'content-length': UPDATE_BYTES - FIRST,
    };
    const sending = request({ port, method: 'PUT', path, headers });
    const status = new Promise((resolve, reject) => {
      sending.on('response', ({ statusCode }) => resolve(statusCode)).on('error', reject);
    });
    sending.write(UPDATE.subarray(FIRST, FIRST + 200_000));
    await once(fixture.fastify.server, 'request');
    await setTimeout(30);
    fixture.state.late = true;
    expect(await status).toBe(410);
    sending.destroy();
    expect(await ask(alice)).toMatchObject({ status: 410, code: 'late' });
    expect(await goOn(alice, FIRST, UPDATE.subarray(FIRST))).toMatchObject({ status: 410, code: 'late' });
  });

  it('without the session, as is the question how far it is', async () => {
    const path = `${PATH}?sha256=${sha(UPDATE)}`;
    expect(await send('GET', path, alice.signed('GET', path))).toMatchObject({ status: 401 });
    expect(await send('GET', PATH, alice.session('GET', PATH))).toMatchObject({ code: 'malformed' });
  });
});
