/** Whatever a partner or a stranger sends, the coordinator answers with a typed refusal, lives on, and others go on. */
import { createHash, randomBytes } from 'node:crypto';
import { type ClientMessage, createHello, type Identity, identityFromSeed } from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { PARAMETERS, startTestCoordinator, type TestCoordinator, testPlan } from './support/coordinator.ts';
import { openSession, type RawSession, takePart } from './support/raw-partner.ts';

let coordinator: TestCoordinator;
let mallory: Identity;
beforeAll(async () => {
  coordinator = await startTestCoordinator();
  mallory = await coordinator.enrol('mallory');
});
afterAll(async () => {
  expect((await fetch(`${coordinator.url}/readyz`)).status).toBe(200);
  await coordinator.close();
});

const connect = (identity = mallory): Promise<RawSession> =>
  openSession(coordinator.url, identity, coordinator.app.identity.id);

/** The close code of a socket on which `act` is done. */
async function closedAfter(act: (socket: WebSocket) => void): Promise<number> {
  const socket = new WebSocket(`${coordinator.url.replace('http', 'ws')}/v1/session`);
  return new Promise((resolve, reject) => {
    socket.once('open', () => act(socket));
    socket.once('close', resolve);
    socket.once('error', reject);
  });
}

const hello = (identity: Identity) =>
  createHello(nodeCrypto, identity, { secret: nodeRandom(32), nonce: nodeRandom(32) });

describe('before the handshake is over', () => {
  it.each([
    ['no JSON', '{"type":"hello"', 4400],
    ['JSON of another type', '[1,2,3]', 4400],
    ['prototype pollution', '{"type":"hello","__proto__":{"identity":"x"}}', 4400],
    ['binary bytes', Buffer.from([1, 2, 3]), 4400],
    ['an oversized message', `{"type":"hello","x":"${'a'.repeat(20_000)}"}`, 4400],
    ['a huge message', 'a'.repeat(5_000_000), 1009],
  ])('%s is refused', async (_, bytes, code) => {
    expect(await closedAfter((socket) => socket.send(bytes))).toBe(code);
  });

  it('an unknown identity is refused before anything is signed for it', async () => {
    const stranger = identityFromSeed(nodeCrypto, nodeRandom(32));
    expect(await closedAfter((socket) => socket.send(JSON.stringify(hello(stranger))))).toBe(4401);
  });

  it('a downgrade to another protocol version is refused', async () => {
    const old = { ...hello(mallory), versions: [0] };
    expect(await closedAfter((socket) => socket.send(JSON.stringify(old)))).toBe(4426);
  });

  it('somebody who knows a partner’s public key but not its private one is refused', async () => {
    const forged = { type: 'prove', signature: randomBytes(64).toString('base64url') };
    const code = await closedAfter((socket) => {
      socket.send(JSON.stringify(hello(mallory)));
      socket.once('message', () => socket.send(JSON.stringify(forged)));
    });
    expect(code).toBe(4402);
  });

  it('a low-order ephemeral key is refused', async () => {
    const weak = { ...hello(mallory), ephemeral: Buffer.alloc(32).toString('base64url') };
    const code = await closedAfter((socket) => {
      socket.send(JSON.stringify(weak));
      socket.once('message', () => socket.send(JSON.stringify({ type: 'prove', signature: 'A'.repeat(86) })));
    });
    expect(code).toBe(4402);
  });

  it('other paths are no sessions', async () => {
    const socket = new WebSocket(`${coordinator.url.replace('http', 'ws')}/v1/../etc/passwd`);
    await expect(new Promise((_, reject) => socket.once('error', reject))).rejects.toThrow('404');
  });
});

describe('in a session', () => {
  it('a frame in the clear ends it', async () => {
    const session = await connect();
    session.socket.send('{"type":"consent"}');
    expect((await session.closed).code).toBe(4411);
  });

  it('a replayed frame ends it', async () => {
    const session = await connect();
    await session.next('ready');
    const frame = session.channel.seal({ type: 'progress', attempt: 'a'.repeat(64), twentieths: 1 });
    session.socket.send(frame);
    session.socket.send(frame);
    expect((await session.closed).code).toBe(4411);
  });

  it('reordered and altered frames end it', async () => {
    for (const spoil of [
      (a: Uint8Array, b: Uint8Array) => [b, a],
      (a: Uint8Array) => [Uint8Array.from(a, (byte, i) => (i === 3 ? byte ^ 1 : byte))],
      (a: Uint8Array) => [a.subarray(1)],
    ]) {
      const session = await connect();
      const message = { type: 'progress', attempt: 'a'.repeat(64), twentieths: 1 };
      for (const frame of spoil(session.channel.seal(message), session.channel.seal(message)))
        session.socket.send(frame);
      expect((await session.closed).code).toBe(4411);
    }
  });

  it.each([
    ['an unknown type', { type: 'root' }],
    ['a type of the prototype', { type: 'constructor' }],
    ['a missing field', { type: 'consent', run: 'x' }],
    ['an unknown field', { type: 'consent', run: 'x', plan: 'a'.repeat(64), admin: true }],
    [
      'a count of samples, which has no place in any message',
      { type: 'progress', attempt: 'a'.repeat(64), twentieths: 3, samples: 812 },
    ],
    ['progress finer than twentieths', { type: 'progress', attempt: 'a'.repeat(64), twentieths: 3.7 }],
    [
      'deeply nested JSON',
      { type: 'consent', run: JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`), plan: '' },
    ],
  ])('%s ends it, typed', async (_, message) => {
    const session = await connect();
    session.send(message as object);
    expect((await session.closed).code).toBe(4400);
  });

  it('a message for an attempt that does not exist is refused, and the session goes on', async () => {
    const session = await connect();
    const attempt = 'b'.repeat(64);
    session.send({ type: 'agree', attempt, signature: 'A'.repeat(86) } satisfies ClientMessage);
    expect(await session.next('refused')).toMatchObject({ of: 'agree', code: 'wrong-attempt' });
    session.send({ type: 'consent', run: 'nothing', plan: attempt });
    expect(await session.next('refused')).toMatchObject({ of: 'consent', code: 'not-found' });
    session.socket.terminate();
  });

  it('a partner cannot report metrics in the clear: only evaluators can', async () => {
    const { id } = await coordinator.startRun();
    const session = await connect();
    const evaluation = {
      type: 'evaluation',
      run: id,
      round: 0,
      model: 'c'.repeat(64),
      count: 5,
      loss: 1,
      metrics: {},
    };
    session.send(evaluation);
    expect(await session.next('refused')).toMatchObject({ of: 'evaluation', code: 'forbidden' });
    session.socket.terminate();
    await coordinator.call('POST', `/v1/runs/${id}/cancel`);
  });

  it('ten thousand messages at once are answered slowly and in order, and nobody else waits for them', async () => {
    const session = await connect(await coordinator.enrol('loud'));
    const other = await coordinator.enrol('patient');
    const quiet = await connect(other);
    for (let i = 0; i < 10_000; i++) session.send({ type: 'consent', run: `r${i}`, plan: 'a'.repeat(64) });
    quiet.send({ type: 'consent', run: 'nothing', plan: 'a'.repeat(64) });
    expect(await quiet.next('refused')).toMatchObject({ code: 'not-found' });
    for (const i of [0, 1, 2])
      expect(await session.next('refused')).toMatchObject({ reason: `No run r${i}.` });
    session.socket.terminate();
    quiet.socket.terminate();
  });

  it('the same identity from elsewhere takes over: the older session is closed as superseded', async () => {
    const first = await connect();
    const second = await connect();
    expect((await first.closed).code).toBe(4408);
    second.socket.terminate();
  });

  it('a suspended partner is cut off at once and not let in again', async () => {
    const eve = await coordinator.enrol('eve');
    const session = await connect(eve);
    await session.next('ready');
    await coordinator.call('POST', '/v1/partners/eve/suspend');
    expect((await session.closed).code).toBe(4403);
    await expect(connect(eve)).rejects.toMatchObject({ code: 4403 });
  });
});

describe('during a round', () => {
  it('wrong lengths, hashes, attempts, second and late updates are refused; the honest ones are summed', async () => {
    const identities = [mallory];
    for (const name of ['ann', 'bob', 'cem']) identities.push(await coordinator.enrol(name));
    const key = coordinator.app.identity.id;
    const pinned = new Set(identities.map((identity) => identity.id));
    const contribution = {
      delta: new Float32Array(PARAMETERS).fill(0.01),
      weight: 100,
      scalars: [100, 0, 10, 10, 5],
    };
    const statuses: Record<string, number> = {};
    for (const identity of identities) {
      const session = await connect(identity);
      if (identity === mallory) {
        const honest = session.put;
        session.put = async (path, body) => {
          statuses.tooShort = await honest(path, body.subarray(4));
          statuses.tooLong = await honest(path, Buffer.concat([body, Buffer.alloc(4)]));
          statuses.wrongHash = await honest(path, body, createHash('sha256').update('x').digest('hex'));
          statuses.wrongAttempt = await honest(`/v1/updates/${'d'.repeat(64)}`, body);
          statuses.badPath = await honest('/v1/updates/..%2f..%2fetc%2fpasswd', body);
          statuses.honest = await honest(path, body);
          statuses.again = await honest(path, body);
          const other = Buffer.from(body);
          other[9]! ^= 1;
          statuses.otherBytes = await honest(path, other);
          return statuses.honest;
        };
      }
      takePart(session, identity, key, pinned, contribution);
    }
    const { id } = await coordinator.startRun(testPlan({ cohort: { min: 4 } }));
    const run = await coordinator.until(id, ({ status }) => status === 'done' || status === 'failed');
    expect(run).toMatchObject({ status: 'done', history: [{ metrics: { weight: 400 } }] });
    expect(run.history[0]!.participants).toHaveLength(4);
    expect(statuses).toMatchObject({
      ...{ tooShort: 400, tooLong: 413, wrongHash: 422, wrongAttempt: 409, badPath: 400 },
      honest: 200,
    });
    // First write wins; once the survivors are frozen, which may be at once, the answer is `late`.
    expect([200, 410]).toContain(statuses.again);
    expect([409, 410]).toContain(statuses.otherBytes);
  });

  it('an update without a session, or with a person’s token, is refused', async () => {
    const path = `${coordinator.url}/v1/updates/${'d'.repeat(64)}`;
    const headers = { 'content-type': 'application/octet-stream' };
    expect((await fetch(path, { method: 'PUT', body: 'x', headers })).status).toBe(401);
    const authorization = `Bearer ${coordinator.app.adminToken}`;
    expect(
      (await fetch(path, { method: 'PUT', body: 'x', headers: { ...headers, authorization } })).status,
    ).toBe(401);
  });
});
