/** Models down, masked vectors up: authenticated by the session, tried again until the attempt is over. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import {
  asTributaryError,
  decodeSafetensors,
  emptyDigest,
  LIMITS,
  type ModelWeights,
  requireFinite,
  TributaryError,
  validate,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { Type } from '@tributary/protocol/typebox';
import { BACKOFF, type Backoff, pause } from './backoff.ts';
import { createBodyBuffer } from './body.ts';
import type { Connection } from './connection.ts';
import { httpSend } from './http.ts';

/** What requests go over, and what is waited with between tries: the simulator has its own of both. */
export interface Wire {
  readonly send: typeof httpSend;
  readonly pause: typeof pause;
}

const WIRE: Wire = { send: httpSend, pause };

export type Authorized = Pick<Connection, 'base' | 'authorize'>;

export interface ExpectedModel {
  /** SHA-256 of the safetensors file, hex. */
  readonly model: string;
  /** SHA-256 of the flat weights; left out where nothing was announced of them. */
  readonly weights?: string;
  readonly parameters?: number;
}

/**
 * @throws hash-mismatch, model-invalid when it is not what was announced; not-found; AbortError. The network's faults are
 * waited out.
 */
export async function downloadModel(
  connection: Authorized,
  expected: ExpectedModel,
  signal: AbortSignal,
  backoff: Backoff = BACKOFF,
  wire: Wire = WIRE,
): Promise<ModelWeights> {
  const { parameters } = expected;
  const maxBytes = parameters === undefined ? LIMITS.blob : 4 * parameters + LIMITS.safetensorsHeader + 8;
  // Bytes of a model that its name fits: whatever broke off is asked for no second time.
  const buffer = createBodyBuffer(maxBytes);
  const file = await persist(wire, backoff, signal, async (moved) => {
    const url = new URL(`/v1/blobs/${expected.model}`, connection.base);
    const line = { method: 'GET', path: url.pathname, digest: emptyDigest(nodeCrypto) };
    const authorization = await connection.authorize(line, signal);
    const before = buffer.length;
    const rest = before > 0 ? { range: `bytes=${before}-`, 'if-range': `"${expected.model}"` } : {};
    const into = (status: number, headers: IncomingHttpHeaders) => {
      if (status !== 206) buffer.clear();
      else if (Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1]) !== before)
        throw new TributaryError('hash-mismatch', 'The answer is another part of the model than asked for.');
      return buffer;
    };
    try {
      await wire.send({ method: 'GET', url, headers: { authorization, ...rest }, maxBytes, signal, into });
      const sha256 = createHash('sha256').update(buffer.bytes()).digest('hex');
      if (sha256 === expected.model) return buffer.bytes();
      throw new TributaryError(
        'hash-mismatch',
        `The model's hash is ${sha256}, announced was ${expected.model}.`,
      );
    } catch (thrown) {
      const error = asTributaryError(thrown);
      if (buffer.length > before) moved();
      if (error.code === 'unauthenticated' || (error.retryable && error.code !== 'hash-mismatch'))
        throw thrown;
      buffer.clear();
      // Not what was announced, but what came before it: the whole again will tell.
      if (before > 0 && (error.code === 'malformed' || error.code === 'too-large'))
        throw new TributaryError('hash-mismatch', error.message, { cause: error });
      throw thrown;
    }
  });
  const { model } = decodeSafetensors(file);
  checkModel(model, expected);
  return model;
}

function checkModel({ values }: ModelWeights, { weights, parameters }: ExpectedModel): void {
  if (parameters !== undefined && values.length !== parameters)
    throw new TributaryError(
      'model-invalid',
      `The model has ${values.length} parameters, announced were ${parameters}.`,
    );
  if (weights !== undefined) {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== weights)
      throw new TributaryError('model-invalid', `The weights' hash is ${sha256}, announced was ${weights}.`);
  }
  requireFinite(values);
}

/**
 * The same bytes as often as it takes, after a break from where the coordinator has them (PROTOCOL.md 8.5). `late` after
 * a try whose answer was lost is no failure: that try may well have counted, and the survivors' list will tell.
 * @returns whether the coordinator said that it has the whole durably; false after such a `late`.
 * @throws late, wrong-attempt, conflict and the like; AbortError
 */
export async function uploadVector(
  connection: Authorized,
  attempt: string,
  bytes: Uint8Array,
  sha256: string,
  signal: AbortSignal,
  backoff: Backoff = BACKOFF,
  wire: Wire = WIRE,
): Promise<boolean> {
  const path = `/v1/updates/${attempt}`;
  const send = async (method: 'GET' | 'PUT', query: string, body?: Uint8Array) => {
    const url = new URL(path + query, connection.base);
    const digest = body ? sha256 : emptyDigest(nodeCrypto);
    const line = { method, path: url.pathname + url.search, digest };
    const authorization = await connection.authorize(line, signal);
    const type = { 'content-type': 'application/octet-stream' };
    const parts = body ? { headers: { authorization, ...type }, body } : { headers: { authorization } };
    return wire.send({ method, url, ...parts, maxBytes: 64 * 1024, signal });
  };
  let tries = 0;
  let reached = 0;
  return persist(wire, backoff, signal, async (moved) => {
    tries++;
    try {
      const offset = tries === 1 ? 0 : await durable(() => send('GET', `?sha256=${sha256}`), bytes.length);
      if (offset > reached) moved();
      reached = offset;
      await send('PUT', offset === 0 ? '' : `?offset=${offset}`, bytes.subarray(offset));
      return true;
    } catch (error) {
      if (tries === 1 || asTributaryError(error).code !== 'late') throw error;
      return false;
    }
  });
}

const UpdateStatus = Type.Object({ offset: Type.Integer({ minimum: 0 }), bytes: Type.Integer() });

/** How many bytes the coordinator has for good. One that cannot tell gets the whole again. */
async function durable(ask: () => Promise<Uint8Array>, length: number): Promise<number> {
  try {
    const text = Buffer.from(await ask()).toString('utf8');
    const { offset } = validate(UpdateStatus, JSON.parse(text), 'The coordinator’s count of bytes');
    return offset <= length ? offset : 0;
  } catch (error) {
    const { code } = asTributaryError(error);
    if (error instanceof SyntaxError || code === 'not-found' || code === 'malformed') return 0;
    throw error;
  }
}

/** Bytes that were damaged on the way are worth some tries, not all of them: the coordinator may be lying. */
const MAX_MISMATCHES = 3;

/** @param attempt calls `moved` when it came further than the one before: a bad link is no reason to wait ever longer. */
async function persist<T>(
  wire: Wire,
  backoff: Backoff,
  signal: AbortSignal,
  attempt: (moved: () => void) => Promise<T>,
): Promise<T> {
  let mismatches = 0;
  let failures = 0;
  for (;;) {
    try {
      return await attempt(() => {
        failures = 0;
      });
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asTributaryError(thrown);
      if (error.code === 'hash-mismatch' && ++mismatches >= MAX_MISMATCHES) throw error;
      // The session that authenticated the request was replaced meanwhile: the next one will do.
      if (!error.retryable && error.code !== 'unauthenticated') throw error;
      await wire.pause(backoff, ++failures, signal);
    }
  }
}
