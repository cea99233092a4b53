/** The real connection against hostile and broken coordinators. */
import {
  type Identity,
  identityFromSeed,
  LIMITS,
  type ServerMessage,
  sign,
  type TributaryError,
  toBase64,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Connection, connect } from './connection.ts';
import {
  type Peer,
  READY,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from './scripted-server.ts';

const identity: Identity = identityFromSeed(nodeCrypto, nodeRandom(32));
let server: ScriptedServer;
let connection: Connection | undefined;
beforeEach(async () => {
  server = await startScriptedServer();
});
afterEach(async () => {
  connection?.close();
  connection = undefined;
  await server.close();
});

interface Seen {
  readonly messages: ServerMessage[];
  readonly downs: { code: string; message: string; remedy: string; final: boolean }[];
}

function open(
  script: Script = {},
  options: { coordinator?: string; silenceMs?: number; handshakeMs?: number } = {},
): Seen {
  server.script = script;
  const seen: Seen = { messages: [], downs: [] };
  connection = connect({
    url: server.url,
    identity,
    coordinator: options.coordinator ?? server.identity.id,
    message: (message) => seen.messages.push(message),
    down: ({ code, message, remedy }: TributaryError, final) => {
      seen.downs.push({ code, message, remedy, final });
    },
    backoff: { minMs: 5, maxMs: 20 },
    ...{ silenceMs: options.silenceMs ?? 10_000, handshakeMs: options.handshakeMs ?? 2000 },
  });
  return seen;
}

const firstDown = async (seen: Seen) => {
  await expect.poll(() => seen.downs.length, { timeout: 5000 }).toBeGreaterThan(0);
  return seen.downs[0]!;
};

/** Sends raw bytes in a session that is properly open. */
const sends = (bytes: (peer: Peer) => (Uint8Array | string)[]): Script => ({
  session(peer) {
    peer.socket.send(peer.channel.seal(READY));
    for (const frame of bytes(peer)) peer.socket.send(frame);
  },
});

test('a proper coordinator: ready, then messages in order', async () => {
  const over: ServerMessage = { type: 'run-ended', run: 'r', status: 'done', reason: '' };
  const seen = open(sends(({ channel }) => [channel.seal(over)]));
  await expect.poll(() => seen.messages).toEqual([READY, over]);
  expect(seen.downs).toEqual([]);
});

describe('the handshake', () => {
  const mallory = identityFromSeed(nodeCrypto, nodeRandom(32));

  test('a coordinator with another key than the pinned one', async () => {
    const seen = open({ signer: mallory });
    expect(await firstDown(seen)).toMatchObject({ code: 'wrong-coordinator', final: true });
  });

  test('somebody who shows the pinned key without holding it', async () => {
    const seen = open({
      welcome({ signature: _, ...welcome }, __, hello) {
        const claimed = { ...welcome, coordinator: server.identity.id };
        return { ...claimed, signature: sign(nodeCrypto, mallory, 'handshake-server', [hello, claimed]) };
      },
    });
    expect(await firstDown(seen)).toMatchObject({ code: 'bad-signature', final: true });
  });

  test('a proxy that puts its own ephemeral key into a signed welcome', async () => {
    const ephemeral = toBase64(nodeCrypto.x25519PublicKey(nodeRandom(32)));
    const seen = open({ welcome: (welcome) => ({ ...welcome, ephemeral }) });
    expect(await firstDown(seen)).toMatchObject({ code: 'bad-signature' });
  });

  test('a welcome of another session replayed', async () => {
    let recorded: object | undefined;
    open({
      welcome: (welcome) => {
        recorded = welcome;
        return welcome;
      },
    });
    await expect.poll(() => recorded).toBeDefined();
    connection!.close();
    expect(await firstDown(open({ welcome: () => recorded! }))).toMatchObject({ code: 'bad-signature' });
  });

  test('a downgrade to a version that this node does not speak, signed', async () => {
    const seen = open({
      welcome({ signature: _, ...welcome }, __, hello) {
        const old = { ...welcome, version: 0 };
        return { ...old, signature: sign(nodeCrypto, server.identity, 'handshake-server', [hello, old]) };
      },
    });
    expect(await firstDown(seen)).toMatchObject({ code: 'unsupported-version', final: true });
  });

  test('a low-order ephemeral key, which would make the session key public', async () => {
    const seen = open({
      welcome({ signature: _, ...welcome }, __, hello) {
        const weak = { ...welcome, ephemeral: toBase64(new Uint8Array(32)) };
        return { ...weak, signature: sign(nodeCrypto, server.identity, 'handshake-server', [hello, weak]) };
      },
    });
    expect(await firstDown(seen)).toMatchObject({ code: 'bad-signature' });
  });

  const garbage: [string, (socket: { send(data: unknown): void }) => void, string][] = [
    ['no JSON', (socket) => socket.send('{'), 'malformed'],
    ['JSON of another shape', (socket) => socket.send('{"type":"welcome"}'), 'malformed'],
    ['null', (socket) => socket.send('null'), 'malformed'],
    ['a binary frame', (socket) => socket.send(Buffer.from([1, 2, 3])), 'malformed'],
    ['far too much', (socket) => socket.send('x'.repeat(100_000)), 'malformed'],
    [
      'more than a frame may hold',
      (socket) => socket.send('x'.repeat(LIMITS.controlFrame + 100)),
      'too-large',
    ],
  ];
  test.each(garbage)('%s instead of a welcome', async (_, send, code) => {
    const seen = open({
      welcome(__, socket) {
        send(socket as never);
        return null;
      },
    });
    expect(await firstDown(seen)).toMatchObject({ code, final: false });
    expect(seen.messages).toEqual([]);
  });

  test('a socket that stays silent is given up, and tried again', async () => {
    const seen = open({ silent: true }, { handshakeMs: 100 });
    expect(await firstDown(seen)).toMatchObject({ code: 'timed-out', final: false });
    await expect.poll(server.connections, { timeout: 3000 }).toBeGreaterThan(1);
  });

  test('a coordinator that says something else before ready', async () => {
    const over = { type: 'run-ended', run: 'r', status: 'done', reason: '' };
    const seen = open({ session: ({ socket, channel }) => socket.send(channel.seal(over)) });
    expect(await firstDown(seen)).toMatchObject({ code: 'wrong-phase' });
    expect(seen.messages).toEqual([]);
  });
});

describe('frames of an open session', () => {
  const attacks: [string, (peer: Peer) => (Uint8Array | string)[], string][] = [
    ['text in the clear', () => [JSON.stringify(READY)], 'bad-frame'],
    ['garbage bytes', () => [nodeRandom(100)], 'bad-frame'],
    ['an empty frame', () => [new Uint8Array(0)], 'bad-frame'],
    [
      'a frame replayed',
      ({ channel }) => {
        const frame = channel.seal({ type: 'members', members: [] });
        return [frame, frame];
      },
      'bad-frame',
    ],
    ['a frame left out', ({ channel }) => [READY, READY].map(channel.seal).slice(1), 'bad-frame'],
    [
      'one bit changed',
      ({ channel }) => {
        const frame = channel.seal(READY);
        frame[5]! ^= 1;
        return [frame];
      },
      'bad-frame',
    ],
    ['an unknown type', ({ channel }) => [channel.seal({ type: 'shutdown' })], 'malformed'],
    ['a type that is no text', ({ channel }) => [channel.seal({ type: { toString: 1 } })], 'malformed'],
    ['a type from the prototype', ({ channel }) => [channel.seal({ type: '__proto__' })], 'malformed'],
    ['ready once more', ({ channel }) => [channel.seal(READY)], 'wrong-phase'],
    ['no object', ({ channel }) => [channel.seal([1, 2])], 'malformed'],
    ['an unknown field', ({ channel }) => [channel.seal({ ...READY, code: 'rm -rf' })], 'malformed'],
    [
      'a list beyond its limit',
      ({ channel }) => [
        channel.seal({ type: 'agreed', attempt: 'a'.repeat(64), signatures: Array(129).fill({}) }),
      ],
      'malformed',
    ],
    ['an oversized frame', () => [new Uint8Array(LIMITS.controlFrame + 17)], 'too-large'],
  ];
  test.each(attacks)('%s ends the session, typed, and the node comes back', async (name, bytes, code) => {
    const seen = open(sends(bytes));
    expect(await firstDown(seen)).toMatchObject({ code, final: false });
    server.script = {};
    const before = seen.messages.length;
    await expect.poll(() => seen.messages.length, { timeout: 3000 }).toBeGreaterThan(before);
    const taken = seen.messages.filter(({ type }) => type !== 'ready');
    expect(taken.length).toBeLessThanOrEqual(name === 'a frame replayed' ? server.connections() : 0);
  });

  test('a coordinator that went silent without closing is noticed', async () => {
    const seen = open(
      {
        session({ socket, channel }) {
          socket.send(channel.seal(READY));
          // Stops reading: pings are not answered any more.
          (socket as unknown as { _socket: { pause(): void } })._socket.pause();
        },
      },
      { silenceMs: 150 },
    );
    expect(await firstDown(seen)).toMatchObject({ code: 'timed-out', final: false });
  });

  test('a coordinator that answers pings and says nothing is alive', async () => {
    const seen = open({}, { silenceMs: 120 });
    await expect.poll(() => seen.messages.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(seen.downs).toEqual([]);
    expect(connection!.send({ type: 'consent', run: 'r', plan: 'a'.repeat(64) })).toBe(true);
  });
});

describe('coming back', () => {
  test('superseded by another node with the same key: does not fight over the place', async () => {
    const seen = open(sends(() => []));
    await expect.poll(() => seen.messages.length).toBe(1);
    connection!.close();
    const again = open({
      session: (peer) => peer.socket.close(4408, 'superseded: The same identity connected again.'),
    });
    expect(await firstDown(again)).toMatchObject({ code: 'superseded', final: true });
    const connections = server.connections();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.connections()).toBe(connections);
  });

  test('suspended while connected: tried again, it may be resumed', async () => {
    let refuse = false;
    const seen = open({
      session({ socket, channel }) {
        if (refuse) return socket.close(4403, 'forbidden: partner-1 is suspended.');
        socket.send(channel.seal(READY));
        refuse = true;
        socket.close(4403, 'forbidden: partner-1 is suspended.');
      },
    });
    await expect.poll(() => seen.downs.length, { timeout: 3000 }).toBeGreaterThan(2);
    expect(seen.downs.every(({ code, final }) => code === 'forbidden' && !final)).toBe(true);
    expect(seen.downs[0]!.message).toBe('partner-1 is suspended.');
    expect(seen.downs[0]!.remedy).toContain('`tributary partners resume NAME`');
  });

  test('a close reason that lies about its code is only a broken connection', async () => {
    const seen = open({ session: ({ socket }) => socket.close(4999, 'superseded: go away') });
    expect(await firstDown(seen)).toMatchObject({ code: 'unavailable', final: false });
  });

  test('without a session requests wait for one, and stop waiting when aborted or closed', async () => {
    open({ silent: true }, { handshakeMs: 100 });
    const line = { method: 'GET', path: '/v1/blobs/x', digest: 'a'.repeat(64) };
    const controller = new AbortController();
    const aborted = connection!.authorize(line, controller.signal);
    const closed = connection!.authorize(line, new AbortController().signal);
    expect(connection!.send({ type: 'consent', run: 'r', plan: 'a'.repeat(64) })).toBe(false);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    connection!.close();
    await expect(closed).rejects.toMatchObject({ code: 'unavailable' });
  });
});
