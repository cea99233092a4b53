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
const problem = (
  code: 'late' | 'conflict' | 'wrong-attempt' | 'malformed' | 'wrong-offset',
  status: number,
) => say(status, new TributaryError(code, 'No.').toProblem());
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

  test('what came before a break is not asked for again', async () => {
    const asked: unknown[] = [];
    answers(({ headers }, response) => {
      asked.push([headers.range, headers['if-range'] as string | undefined]);
      const from = Number(/\d+/.exec(headers.range ?? '0')![0]);
      const to = Math.min(from + 9, file.length);
      const range = from > 0 ? { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` } : {};
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': file.length - from, ...range });
      response.write(file.subarray(from, to));
      if (to === file.length) response.end();
      else setTimeout(() => response.destroy(), 5);
    });
    expect((await load()).values).toEqual(values);
    const etag = `"${expected.model}"`;
    const rest = Array.from({ length: Math.ceil(file.length / 9) - 1 }, (_, at) => `bytes=${9 * (at + 1)}-`);
    expect(asked).toEqual([[undefined, undefined], ...rest.map((range) => [range, etag])]);
  });

  test('what came before a break and was not the model is thrown away', async () => {
    const begin = (bytes: Uint8Array): Answer => {
      return (_, response) => {
        response.writeHead(200, { 'content-length': file.length }).write(bytes);
        setTimeout(() => response.destroy(), 5);
      };
    };
    const rest = (start: number): Answer => {
      const range = `bytes ${start}-${file.length - 1}/${file.length}`;
      return (_, response) => response.writeHead(206, { 'content-range': range }).end(file.subarray(start));
    };
    // Damaged; another part than asked for; more than there is.
    for (const second of [rest(9), rest(8), problem('malformed', 416)]) {
      const bodies = answers(begin(new Uint8Array(9).fill(7)), second, say(200, file));
      expect((await load()).values).toEqual(values);
      expect(bodies).toHaveLength(3);
    }
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
});

describe('masked vectors', () => {
  const vector = nodeRandom(300_000);
  const attempt = 'b'.repeat(64);
  const put = () => uploadVector(connection, attempt, vector, sha256(vector), controller.signal, backoff);

  /** Has `got` of the vector; each PUT is cut off after so many bytes of its body, null lets it end. */
  function resumable(cuts: (number | null)[], { honest = true, known = true } = {}) {
    const seen: { line: string; counter: number; digest: string }[] = [];
    let got = Buffer.alloc(0);
    server.script.http = async (request, response) => {
      const claim = parseSessionClaim(request.headers.authorization!)!;
      const line = { method: request.method!, path: request.url! };
      checkSessionClaim(nodeCrypto, sessions.at(-1)!, claim, line);
      seen.push({ line: `${line.method} ${line.path}`, counter: claim.counter, digest: claim.digest });
      if (line.method === 'GET' && !known) return problem('malformed', 404)(request, response, got);
      if (line.method === 'GET') {
        const answer = { offset: honest ? got.length : vector.length + 1, bytes: vector.length };
        return void response.end(JSON.stringify(answer));
      }
      const offset = Number(new URLSearchParams(line.path.split('?')[1]).get('offset'));
      expect(request.headers['content-length']).toBe(String(vector.length - offset));
      got = got.subarray(0, offset);
      const cutAt = cuts.shift() ?? Number.POSITIVE_INFINITY;
      for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        got = Buffer.concat([got, chunk as Buffer]);
        if (got.length - offset >= cutAt) return void response.destroy();
      }
      response.end('{}');
    };
    return { seen, got: () => got };
  }

  test('identical bytes, however often the way breaks, each once', async () => {
    const { seen, got } = resumable([100_000, 1, 50_000, null]);
    await put();
    expect(got().equals(vector)).toBe(true);
    const path = `/v1/updates/${attempt}`;
    expect(seen.map(({ line }) => line.replace(/=\d+$/, '=N'))).toEqual([
      `PUT ${path}`,
      ...Array.from({ length: 3 }, () => [
        `GET ${path}?sha256=${sha256(vector)}`,
        `PUT ${path}?offset=N`,
      ]).flat(),
    ]);
    const claims = seen.filter(({ line }) => line.startsWith('PUT'));
    for (const { digest } of claims) expect(digest).toBe(sha256(vector));
    expect(new Set(seen.map(({ counter }) => counter)).size).toBe(seen.length);
  });

  test('from the beginning where the coordinator cannot tell what it has, or lies', async () => {
    for (const how of [{ known: false }, { honest: false }]) {
      const { seen, got } = resumable([100_000, null], how);
      await put();
      expect(got().equals(vector)).toBe(true);
      expect(seen.at(-1)!.line).toBe(`PUT /v1/updates/${attempt}`);
    }
  });

  test('asked again when the offset no longer fits', async () => {
    const asked: string[] = [];
    answers(({ method }, response) => {
      asked.push(method!);
      if (asked.length === 1) return void response.destroy();
      if (asked.length === 3)
        return problem('wrong-offset', 409)({} as IncomingMessage, response, Buffer.of());
      response.end(JSON.stringify({ offset: asked.length, bytes: vector.length }));
    });
    await put();
    expect(asked).toEqual(['PUT', 'GET', 'PUT', 'GET', 'PUT']);
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

  // Found by chaos: the owner was told that the update had arrived, and it had not.
  test('late, after a try whose answer was lost, is no failure: that try may have counted, or not', async () => {
    const bodies = answers(cut, problem('late', 410));
    expect(await put()).toBe(false);
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
