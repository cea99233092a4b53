/** Downloads and uploads against a coordinator that breaks, lies or answers late. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  checkSessionClaim,
  encodeSafetensors,
  identityFromSeed,
  parseSessionClaim,
  type SessionKeys,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { downloadModel, uploadVector } from './bulk.ts';
import { type Connection, connect } from './connection.ts';
import { httpSend } from './http.ts';
import { READY, type ScriptedServer, startScriptedServer } from './scripted-server.ts';

const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
const backoff = { minMs: 1, maxMs: 5 };
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let server: ScriptedServer;
let connection: Connection;
/** Keys of every session so far, newest last. */
let sessions: SessionKeys[];
let controller: AbortController;

beforeEach(async () => {
  sessions = [];
  controller = new AbortController();
  server = await startScriptedServer({
    session({ socket, channel, keys }) {
      sessions.push(keys);
      socket.send(channel.seal(READY));
    },
  });
  const { url, identity: coordinator } = server;
  const quiet = { message: () => {}, down: () => {} };
  connection = connect({ url, identity, coordinator: coordinator.id, ...quiet, backoff });
});
afterEach(async () => {
  controller.abort();
  connection.close();
  await server.close();
});

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** Answers requests one after the other; the last answer repeats. Notes what came. */
function answers(...script: Answer[]) {
  const bodies: Buffer[] = [];
  let count = 0;
  server.script.http = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(Buffer.concat(chunks));
    script[Math.min(count++, script.length - 1)]!(request, response, bodies.at(-1)!);
  };
  return bodies;
}
const say = (status: number, body: Uint8Array | object = {}): Answer => {
  return (_, response) =>
    response.writeHead(status).end(body instanceof Uint8Array ? body : JSON.stringify(body));
};
const problem = (code: 'late' | 'conflict' | 'wrong-attempt', status: number) =>
  say(status, new TributaryError(code, 'No.').toProblem());
const cut: Answer = (_, response) => response.destroy();

describe('models', () => {
  const values = Float32Array.of(1, -2, 3.5);
  const file = encodeSafetensors({ tensors: [{ name: 'w', shape: [3], offset: 0, length: 3 }], values });
  const expected = {
    model: sha256(file),
    weights: sha256(new Uint8Array(values.buffer)),
    parameters: 3,
  };
  const load = (changes = {}) =>
    downloadModel(connection, { ...expected, ...changes }, controller.signal, backoff);

  test('what was announced, asked for under the key of the session', async () => {
    let authorization = '';
    answers((request, response) => {
      authorization = request.headers.authorization ?? '';
      response.end(file);
    });
    expect((await load()).values).toEqual(values);
    const claim = parseSessionClaim(authorization)!;
    const line = { method: 'GET', path: `/v1/blobs/${expected.model}` };
    expect(() => checkSessionClaim(nodeCrypto, sessions[0]!, claim, line)).not.toThrow();
    expect(() => checkSessionClaim(nodeCrypto, sessions[0]!, claim, { ...line, method: 'PUT' })).toThrow();
  });

  test('a connection that breaks in the middle is tried again', async () => {
    const half: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': file.length }).write(file.subarray(0, 9));
      setTimeout(() => response.destroy(), 5);
    };
    answers(cut, half, say(503), say(200, file));
    expect((await load()).values).toEqual(values);
  });

  test('another model than announced is refused after a few tries', async () => {
    const other = file.slice();
    other[other.length - 1]! ^= 1;
    const bodies = answers(say(200, other));
    await expect(load()).rejects.toMatchObject({ code: 'hash-mismatch' });
    expect(bodies.length).toBeLessThan(5);
  });

  test.each([
    ['the weights', { weights: 'a'.repeat(64) }, 'model-invalid'],
    ['the number of parameters', { parameters: 4 }, 'model-invalid'],
  ])('%s are not what the announcement says', async (_, changes, code) => {
    answers(say(200, file));
    await expect(load(changes)).rejects.toMatchObject({ code });
  });

  test('a model that is not finite, or no model at all', async () => {
    const bad = encodeSafetensors({
      tensors: [{ name: 'w', shape: [1], offset: 0, length: 1 }],
      values: Float32Array.of(Number.NaN),
    });
    for (const bytes of [bad, new Uint8Array(40)]) {
      answers(say(200, bytes));
      const loading = downloadModel(connection, { model: sha256(bytes) }, controller.signal, backoff);
      await expect(loading).rejects.toMatchObject({ code: 'model-invalid' });
    }
  });

  test('an answer that claims, or turns out, to be larger than the model is cut short', async () => {
    const large = new Uint8Array(5_000_000);
    const claims: Answer = (_, response) => {
      response.writeHead(200, { 'content-length': 5_000_000_000 }).flushHeaders();
    };
    const streams: Answer = (_, response) => {
      response.write(large);
    };
    for (const answer of [say(200, large), claims, streams]) {
      answers(answer);
      await expect(load()).rejects.toMatchObject({ code: 'too-large' });
    }
  });

  test('a redirect is not followed', async () => {
    answers((_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end());
    const url = new URL('/v1/blobs/x', server.url);
    await expect(httpSend({ method: 'GET', url, maxBytes: 100 })).rejects.toMatchObject({
      message: 'GET /v1/blobs/x: the coordinator answered 302.',
    });
  });

  test('a coordinator that never answers', async () => {
    answers(() => {});
    const url = new URL('/v1/blobs/x', server.url);
    const request = { method: 'GET', url, maxBytes: 100, silenceMs: 100 } as const;
    await expect(httpSend(request)).rejects.toMatchObject({ code: 'timed-out' });
  });
});

describe('masked vectors', () => {
  const vector = nodeRandom(300_000);
  const attempt = 'b'.repeat(64);
  const put = () => uploadVector(connection, attempt, vector, sha256(vector), controller.signal, backoff);

  test('identical bytes, however often the way breaks', async () => {
    const bodies = answers(cut, say(503), say(507), cut, say(200));
    await put();
    expect(bodies).toHaveLength(5);
    for (const body of bodies) expect(body.equals(vector)).toBe(true);
  });

  test('the digest in the header is that of the body, each time under a new counter', async () => {
    const claims: { digest: string; counter: number }[] = [];
    const note: Answer = ({ headers }, response) => {
      claims.push(parseSessionClaim(headers.authorization!)!);
      expect(headers['content-length']).toBe(String(vector.length));
      response.writeHead(claims.length === 1 ? 503 : 200).end('{}');
    };
    answers(note);
    await put();
    expect(claims.map(({ digest }) => digest)).toEqual([sha256(vector), sha256(vector)]);
    expect(claims[0]!.counter).not.toBe(claims[1]!.counter);
  });

  test.each([
    ['late', 410],
    ['conflict', 409],
    ['wrong-attempt', 409],
  ] as const)('%s is final', async (code, status) => {
    const bodies = answers(problem(code, status));
    await expect(put()).rejects.toMatchObject({ code, message: 'No.' });
    expect(bodies).toHaveLength(1);
  });

  test('late, after a try whose answer was lost, is no failure: that try may have counted', async () => {
    const bodies = answers(cut, problem('late', 410));
    await put();
    expect(bodies).toHaveLength(2);
  });

  test('the coordinator restarts and knows the session no longer: the next one authenticates', async () => {
    let used = '';
    answers(({ headers }, response) => {
      used = parseSessionClaim(headers.authorization!)!.session;
      response.writeHead(used === sessions[0]!.session ? 401 : 200).end('{}');
      if (used === sessions[0]!.session) server.drop();
    });
    await put();
    expect(sessions).toHaveLength(2);
    expect(used).toBe(sessions[1]!.session);
  });

  test('stops as soon as the attempt is forgotten', async () => {
    answers(() => {});
    const uploading = put();
    setTimeout(() => controller.abort(), 50);
    await expect(uploading).rejects.toMatchObject({ name: 'AbortError' });
  });
});
