/** Models down, masked vectors up: authenticated by the session, tried again until the attempt is over. */
import { createHash } from 'node:crypto';
import {
  asTributaryError,
  decodeSafetensors,
  emptyDigest,
  LIMITS,
  type ModelWeights,
  requireFinite,
  TributaryError,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { BACKOFF, type Backoff, pause } from './backoff.ts';
import type { Connection } from './connection.ts';
import { httpSend } from './http.ts';

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
  connection: Connection,
  expected: ExpectedModel,
  signal: AbortSignal,
  backoff: Backoff = BACKOFF,
): Promise<ModelWeights> {
  const { parameters } = expected;
  const maxBytes = parameters === undefined ? LIMITS.blob : 4 * parameters + LIMITS.safetensorsHeader + 8;
  const file = await persist(backoff, signal, async () => {
    const url = new URL(`/v1/blobs/${expected.model}`, connection.base);
    const line = { method: 'GET', path: url.pathname, digest: emptyDigest(nodeCrypto) };
    const authorization = await connection.authorize(line, signal);
    const bytes = await httpSend({ method: 'GET', url, headers: { authorization }, maxBytes, signal });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== expected.model)
      throw new TributaryError(
        'hash-mismatch',
        `The model's hash is ${sha256}, announced was ${expected.model}.`,
      );
    return bytes;
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
 * The same bytes as often as it takes. `late` after a try whose answer was lost is no failure: that try may well have
 * counted, and the survivors' list will tell. @throws late, wrong-attempt, conflict and the like; AbortError
 */
export async function uploadVector(
  connection: Connection,
  attempt: string,
  bytes: Uint8Array,
  sha256: string,
  signal: AbortSignal,
  backoff: Backoff = BACKOFF,
): Promise<void> {
  let tries = 0;
  await persist(backoff, signal, async () => {
    tries++;
    const url = new URL(`/v1/updates/${attempt}`, connection.base);
    const authorization = await connection.authorize(
      { method: 'PUT', path: url.pathname, digest: sha256 },
      signal,
    );
    const headers = { authorization, 'content-type': 'application/octet-stream' };
    await httpSend({ method: 'PUT', url, headers, body: bytes, maxBytes: 64 * 1024, signal }).catch(
      (error) => {
        if (tries === 1 || asTributaryError(error).code !== 'late') throw error;
      },
    );
  });
}

/** Bytes that were damaged on the way are worth some tries, not all of them: the coordinator may be lying. */
const MAX_MISMATCHES = 3;

async function persist<T>(backoff: Backoff, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  let mismatches = 0;
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asTributaryError(thrown);
      if (error.code === 'hash-mismatch' && ++mismatches >= MAX_MISMATCHES) throw error;
      // The session that authenticated the request was replaced meanwhile: the next one will do.
      if (!error.retryable && error.code !== 'unauthenticated') throw error;
      await pause(backoff, failures, signal);
    }
  }
}
