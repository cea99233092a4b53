/** Every route of the HTTP API, over raw sockets: real requests with something wrong in them, and bytes that are none. */
import { createHash } from 'node:crypto';
import { authorizeRequest, ERRORS, type ErrorCode, type SessionKeys, signRequest } from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import type { Dice } from '../../chaos/random.ts';
import { openSession, type RawSession } from '../../support/raw-partner.ts';
import type { House } from '../house.ts';
import { mutateBytes, mutateJson, mutateText, strange } from '../mutate.ts';
import { complaintAbout, type Json, type Target, written } from '../target.ts';
import { exchange, parseAnswer } from '../wire.ts';

interface Request {
  readonly method: string;
  readonly path: string;
  readonly auth: string;
  readonly headers: readonly (readonly [string, string])[];
  /** JSON, or base64 of bytes. */
  readonly json?: Json;
  readonly bytes?: string;
  /** What goes over the wire instead, as base64. */
  readonly raw?: string;
}

const JSON_BODY = ['content-type', 'application/json'] as const;
const BYTES_BODY = ['content-type', 'application/octet-stream'] as const;
const HASH = 'b'.repeat(64);
const ID = 'A'.repeat(43);
const SEEDS: readonly Request[] = [
  ...['/healthz', '/readyz', '/v1/coordinator', '/v1/coordinator/rotations', '/v1/session', '/nothing'].map(
    (path) => get(path, 'none'),
  ),
  ...['/v1/tokens', '/v1/partners', '/v1/runs', '/v1/runs/$run', '/v1/models', '/v1/models?run=$run'].map(
    (path) => get(path, 'token'),
  ),
  ...['/v1/members', '/v1/rotations', `/v1/blobs/${HASH}`, '/v1/updates/$attempt?sha256=$zero'].map((path) =>
    get(path, 'session'),
  ),
  get('/v1/members', 'signed'),
  { ...get(`/v1/blobs/${HASH}`, 'token'), headers: [['range', 'bytes=0-5']] },
  post('/v1/tokens', { name: 'fuzz', role: 'researcher' }),
  { ...get('/v1/tokens/fuzz', 'token'), method: 'DELETE' },
  post('/v1/partners/invites', { name: 'victim', role: 'partner', ttl: 60 }),
  post('/v1/partners/victim/suspend', null),
  post('/v1/partners/victim/resume', null),
  {
    ...post('/v1/enrol', { secret: 'A'.repeat(43), key: 'A'.repeat(43), signature: 'A'.repeat(86) }),
    auth: 'none',
  },
  {
    ...post('/v1/rotations', {
      rotation: { subject: 'member', coordinator: ID, old: ID, new: ID, time: 0 },
      signatures: { old: 'A'.repeat(86), new: 'A'.repeat(86) },
    }),
    auth: 'none',
  },
  post('/v1/runs', { plan: { name: 'x' }, model: HASH }),
  ...['cancel', 'pause', 'resume'].map((action) => post(`/v1/runs/victim/${action}`, null)),
  { ...get(`/v1/blobs/${HASH}`, 'token'), method: 'PUT', headers: [BYTES_BODY], bytes: 'AAAA' },
  { ...get('/v1/updates/$attempt', 'session'), method: 'PUT', headers: [BYTES_BODY], bytes: 'AAAA' },
  { ...get('/v1/updates/$attempt?offset=4', 'session'), method: 'PUT', headers: [BYTES_BODY], bytes: 'AAAA' },
];

function get(path: string, auth: string): Request {
  return { method: 'GET', path, auth, headers: [] };
}
function post(path: string, json: Json): Request {
  return { method: 'POST', path, auth: 'token', headers: [JSON_BODY], json };
}

const HEADERS: readonly (readonly [string, string])[] = [
  ['content-encoding', 'gzip'],
  ['transfer-encoding', 'chunked'],
  ['transfer-encoding', 'gzip, chunked'],
  ['content-length', '999999999999999999999'],
  ['content-length', '-1'],
  ['content-length', '4'],
  ['expect', '100-continue'],
  ['expect', 'x'],
  ['upgrade', 'h2c'],
  ['connection', 'upgrade'],
  ['content-type', 'text/html'],
  ['content-type', 'application/json; charset=utf-7'],
  ['content-type', '\u00ff/'],
  ['range', 'bytes=5-2,-9999999999999999999'],
  ['if-none-match', '*'],
  ['if-range', '"x"'],
  ['x-forwarded-for', '127.0.0.1'],
  ['host', 'x\u00ff'],
  ['authorization', 'Bearer trib_x'],
  ['authorization', `Tributary-Session ${'A'.repeat(22)}.1.${HASH}.${'A'.repeat(43)}`],
  ['cookie', 'a=b;'.repeat(2000)],
];
const PATHS = [
  '..%2f..%2fetc%2fpasswd',
  '%00',
  '%',
  '%ff',
  '//',
  '/./..',
  '?__proto__[x]=1',
  '?a[b]=c',
  '#',
  '\\',
  ';x',
];
const METHODS = ['HEAD', 'OPTIONS', 'TRACE', 'PATCH', 'PROPFIND', 'CONNECT', 'get', 'X'];

export async function httpTarget(house: House): Promise<Target> {
  let identity = house.mallories.at(-1)!;
  let session: RawSession = await openSession(house.url, identity, house.key);
  let counter = 0;
  let caller = 0;

  function authorization(request: Request, path: string, body: Uint8Array): string | null {
    const line = { method: request.method, path, digest: createHash('sha256').update(body).digest('hex') };
    if (request.auth === 'session')
      return authorizeRequest(nodeCrypto, session.keys as SessionKeys, line, counter++);
    if (request.auth === 'signed')
      return signRequest(nodeCrypto, identity, house.key, line, Date.now(), nodeRandom(16));
    return request.auth === 'token' ? `Bearer ${house.token}` : null;
  }

  function bytesOf(request: Request): Buffer {
    if (request.raw !== undefined) return Buffer.from(request.raw, 'base64');
    const fill = (text: string) => text.replace(/\$(\w+)/g, (whole, name) => house.facts()[name] ?? whole);
    const path = fill(request.path);
    const body =
      request.json === undefined
        ? Buffer.from(request.bytes ?? '', 'base64')
        : Buffer.from(written(request.json, house.facts()));
    const proof = authorization(request, path, body);
    const given = new Set(request.headers.map(([name]) => name));
    const lines = [
      `${request.method} ${path} HTTP/1.1`,
      ...(given.has('host') ? [] : ['host: x']),
      ...(given.has('connection') ? [] : ['connection: close']),
      ...(body.length === 0 || given.has('content-length') || given.has('transfer-encoding')
        ? []
        : [`content-length: ${body.length}`]),
      ...(proof === null ? [] : [`authorization: ${proof}`]),
      ...request.headers.map(([name, value]) => `${name}: ${value}`),
    ];
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
  }

  return {
    name: 'http',
    share: 30,
    generate(dice) {
      const request = change(dice, dice.pick(SEEDS));
      if (!dice.chance(0.15)) return request as unknown as Json;
      const bytes = dice.chance(0.2) ? nonsense(dice) : mutateBytes(dice, bytesOf(request));
      return { ...request, raw: bytes.toString('base64') } as unknown as Json;
    },
    async play(input) {
      if (session.socket.readyState !== 1) {
        identity = house.mallories[4 + (caller % (house.mallories.length - 4))]!;
        session = await openSession(house.url, identity, house.key);
        counter = 0;
      }
      // A stranger each time: who makes many mistakes is answered 429 only.
      caller++;
      const from = `127.1.${(caller >> 8) % 250}.${1 + (caller % 250)}`;
      const bytes = bytesOf(input as unknown as Request);
      const cut = bytes.length >> 1;
      const answer = await exchange(house.port, from, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      if (answer === 'silent') return 'no answer, and the connection stays open';
      return complaint(answer, (input as unknown as Request).method);
    },
  };
}

function complaint(bytes: Buffer, method: string): string | null {
  if (bytes.length === 0) return null;
  const answer = parseAnswer(bytes);
  if (!answer) return `answered no HTTP: ${bytes.subarray(0, 80).toString('latin1')}`;
  const { status, type, body } = answer;
  if (status < 400 || method === 'HEAD' || body === '') return status === 500 ? 'answered 500' : null;
  if (type !== 'application/problem+json') return `${status} without a Problem: ${body.slice(0, 200)}`;
  try {
    const problem = JSON.parse(body);
    const known = complaintAbout(problem.code);
    if (known) return known;
    const { http } = ERRORS[problem.code as ErrorCode];
    // RFC 9110 and RFC 6585 have statuses of their own for a range and for headers.
    return http === status || status === 416 || status === 431
      ? null
      : `${problem.code} with status ${status}`;
  } catch {
    return `${status} with a Problem that is no JSON: ${body.slice(0, 200)}`;
  }
}

function change(dice: Dice, request: Request): Request {
  switch (dice.pick(['body', 'body', 'path', 'query', 'header', 'header', 'method', 'auth', 'none'])) {
    case 'body':
      if (request.json === undefined)
        return {
          ...request,
          bytes: mutateBytes(dice, Buffer.from(request.bytes ?? '', 'base64')).toString('base64'),
        };
      return { ...request, json: mutateJson(dice, request.json) };
    case 'path':
      return { ...request, path: visible(mutateText(dice, request.path)) };
    case 'query':
      return { ...request, path: request.path + dice.pick(PATHS) };
    case 'header':
      return { ...request, headers: [...request.headers, dice.pick(HEADERS)] };
    case 'method':
      return { ...request, method: dice.pick(METHODS) };
    case 'auth':
      return { ...request, auth: dice.pick(['none', 'token', 'session', 'signed']) };
    default:
      return { ...request, json: dice.chance(0.2) ? strange(dice) : (request.json ?? null) };
  }
}

/** Bytes of a path that a request line can hold. */
const visible = (path: string): string =>
  (path.startsWith('/') ? path : `/${path}`).replace(/[\s\0]/g, '%20');

function nonsense(dice: Dice): Buffer {
  return dice.pick([
    Buffer.from('16030100c8010000c4030300', 'hex'),
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Buffer.from('GET / HTTP/1.1\r\n'.repeat(50)),
    Buffer.from(`GET / HTTP/1.1\r\nhost: x\r\n${'a: b\r\n'.repeat(3000)}\r\n`),
    Buffer.from('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(30)),
    Buffer.from('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx'),
    Buffer.from(
      'POST /v1/enrol HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\ntrailer: x\r\n\r\n',
    ),
    Buffer.from(Array.from({ length: 300 }, () => Math.floor(dice.next() * 256))),
  ]);
}
