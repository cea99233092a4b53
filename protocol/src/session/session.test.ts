import { describe, expect, it } from 'vitest';
import { nodeCrypto } from '../crypto/node.ts';
import { seededRandom } from '../crypto/random.ts';
import { toBase64, utf8 } from '../encoding.ts';
import { identityFromSeed } from '../identity.ts';
import { LIMITS } from '../limits.ts';
import { createChannel } from './channel.ts';
import { createHello, createWelcome, finishAsClient, finishAsServer } from './handshake.ts';
import {
  authorizeRequest,
  checkSessionClaim,
  emptyDigest,
  parseSessionClaim,
  signRequest,
  verifySignedRequest,
} from './requests.ts';

const random = seededRandom(nodeCrypto, utf8('session'));
const identity = () => identityFromSeed(nodeCrypto, random(32));
const ephemeral = () => ({ secret: random(32), nonce: random(32) });
const [node, coordinator, stranger] = [identity(), identity(), identity()];
const [ours, theirs] = [ephemeral(), ephemeral()];
const hello = createHello(nodeCrypto, node, ours);
const welcome = createWelcome(nodeCrypto, coordinator, theirs, hello, 1, random(16));
const code = (expected: string) => expect.objectContaining({ code: expected });

const asClient = (shown = welcome, pinned = coordinator.id, sent = hello) =>
  finishAsClient(nodeCrypto, node, ours, sent, shown, pinned);
const asServer = (prove: ReturnType<typeof asClient>['prove'], shown = welcome) =>
  finishAsServer(nodeCrypto, theirs, hello, shown, prove);

describe('a handshake', () => {
  it('gives both sides the same three keys', () => {
    const { prove, keys } = asClient();
    expect(asServer(prove)).toEqual(keys);
    const all = [keys.clientToServer, keys.serverToClient, keys.http].map(toBase64);
    expect(new Set(all).size).toBe(3);
  });

  it('with another key than the pinned one ends, though its signature is good', () => {
    const other = createWelcome(nodeCrypto, stranger, theirs, hello, 1, random(16));
    expect(() => asClient(other)).toThrow(code('wrong-coordinator'));
    expect(() => asClient(other, stranger.id)).not.toThrow();
  });

  it('with a welcome that was altered or made for another hello ends', () => {
    const altered = [
      { ...welcome, ephemeral: toBase64(nodeCrypto.x25519PublicKey(random(32))) },
      { ...welcome, epoch: 2 },
      { ...createWelcome(nodeCrypto, stranger, theirs, hello, 1, random(16)), coordinator: coordinator.id },
    ];
    for (const shown of altered) expect(() => asClient(shown)).toThrow(code('bad-signature'));
    const another = createHello(nodeCrypto, node, ephemeral());
    expect(() => asClient(welcome, coordinator.id, another)).toThrow(code('bad-signature'));
  });

  it('with a proof by another key, or for another session, ends', () => {
    const forged = finishAsClient(nodeCrypto, stranger, ours, hello, welcome, coordinator.id).prove;
    expect(() => asServer(forged)).toThrow(code('bad-signature'));
    const again = createWelcome(nodeCrypto, coordinator, theirs, hello, 1, random(16));
    expect(() => asServer(asClient().prove, again)).toThrow(code('bad-signature'));
  });
});

describe('a sealed frame', () => {
  const { keys } = asClient();
  const ends = () =>
    [createChannel(nodeCrypto, keys, 'client'), createChannel(nodeCrypto, keys, 'server')] as const;

  it('opens in its order, and in its direction only', () => {
    const [client, server] = ends();
    const frames = [1, 2, 3].map((n) => client.seal({ n }));
    expect(frames.map((frame) => server.open(frame))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(() => ends()[0].open(frames[0]!)).toThrow(code('bad-frame'));
  });

  it('that is replayed, left out, overtaken or altered does not open', () => {
    const [client, server] = ends();
    const [first, second] = [client.seal({ n: 1 }), client.seal({ n: 2 })];
    expect(() => ends()[1].open(second)).toThrow(code('bad-frame'));
    expect(server.open(first)).toEqual({ n: 1 });
    expect(() => server.open(first)).toThrow(code('bad-frame'));
    const altered = second.with(0, second[0]! ^ 1);
    const [, other] = ends();
    other.open(first);
    expect(() => other.open(altered)).toThrow(code('bad-frame'));
  });
});

describe('a request of a session', () => {
  const { keys } = asClient();
  const line = { method: 'PUT', path: '/v1/updates/a?offset=0', digest: emptyDigest(nodeCrypto) };
  const check = (change: object = {}, by = keys, at: object = {}) => {
    const claim = parseSessionClaim(authorizeRequest(nodeCrypto, by, line, 7))!;
    checkSessionClaim(nodeCrypto, keys, { ...claim, ...change }, { ...line, ...at });
  };

  it('is taken as it was made', () => {
    expect(() => check()).not.toThrow();
  });

  it.each<[string, () => void]>([
    ['counter', () => check({ counter: 8 })],
    ['digest', () => check({ digest: '0'.repeat(64) })],
    ['MAC', () => check({ mac: toBase64(new Uint8Array(32)) })],
    ['method', () => check({}, keys, { method: 'GET' })],
    ['path', () => check({}, keys, { path: '/v1/updates/a?offset=1' })],
    ['session’s key', () => check({}, { ...keys, http: keys.serverToClient })],
  ])('with another %s is refused', (_, attempt) => {
    expect(attempt).toThrow(code('unauthenticated'));
  });
});

describe('a signed request', () => {
  const digest = emptyDigest(nodeCrypto);
  const line = { method: 'GET', path: '/v1/members', digest };
  const time = 1_700_000_000_000;
  const header = signRequest(nodeCrypto, node, coordinator.id, line, time, random(16));
  const verify = (text = header, now = time, at = line, by = coordinator.id) =>
    verifySignedRequest(nodeCrypto, text, by, at, now);

  it('tells who sent it, within some minutes', () => {
    for (const now of [time - LIMITS.clockSkewMs, time, time + LIMITS.clockSkewMs])
      expect(verify(header, now)).toMatchObject({ identity: node.id, digest });
  });

  it('is refused once it is old, or from a clock that is wrong', () => {
    for (const now of [time - LIMITS.clockSkewMs - 1, time + LIMITS.clockSkewMs + 1])
      expect(() => verify(header, now)).toThrow(code('unauthenticated'));
  });

  it('is refused for another path, method or coordinator, and in another name', () => {
    expect(() => verify(header, time, { ...line, path: '/v1/rotations' })).toThrow(code('bad-signature'));
    expect(() => verify(header, time, { ...line, method: 'PUT' })).toThrow(code('bad-signature'));
    expect(() => verify(header, time, line, stranger.id)).toThrow(code('bad-signature'));
    expect(() => verify(header.replace(node.id, stranger.id))).toThrow(code('bad-signature'));
  });
});
