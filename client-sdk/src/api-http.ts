/** Requests to one coordinator with fetch: bearer token, time limits, and every failure as a TributaryError. */
import { ERRORS, LIMITS, ProblemBody, TributaryError } from '@tributary/protocol';
import { Value } from 'typebox/value';

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export interface HttpOptions {
  /** `https://host[:port][/prefix]`, without `/v1`. */
  readonly url: string;
  /** Of a person; sent to this address only, never along a redirect. */
  readonly token?: string;
  /** Ends every request. */
  readonly signal?: AbortSignal;
}

export interface HttpCaller {
  json(method: string, path: string, body?: Json): Promise<unknown>;
  send(method: string, path: string, body?: Uint8Array): Promise<void>;
  bytes(path: string, maxBytes: number): Promise<Uint8Array>;
  stream(path: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** Answers but blobs and event streams come at once or not at all: milliseconds. */
const ANSWER_MS = 30_000;

export function httpCaller({ url, token, signal }: HttpOptions): HttpCaller {
  const base = url.replace(/\/+$/, '');

  async function request(
    method: string,
    path: string,
    init: RequestInit,
    limit?: AbortSignal,
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
    const signals = [signal, limit].filter((each) => each !== undefined);
    let response: Response;
    try {
      response = await fetch(base + path, {
        ...init,
        method,
        headers,
        redirect: 'manual',
        signal: AbortSignal.any(signals),
      });
    } catch (error) {
      throw unreachable(base, error);
    }
    if (!response.ok) throw await refusal(base, `${method} ${path}`, response);
    return response;
  }

  return {
    async json(method, path, body) {
      const init: RequestInit =
        body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      const response = await request(method, path, init, AbortSignal.timeout(ANSWER_MS));
      try {
        return await response.json();
      } catch (error) {
        if (error instanceof SyntaxError) throw noCoordinator(base, `${method} ${path}`);
        throw unreachable(base, error);
      }
    },
    async send(method, path, body) {
      const init: RequestInit =
        body === undefined
          ? {}
          : {
              body: body as Uint8Array<ArrayBuffer>,
              headers: { 'content-type': 'application/octet-stream' },
            };
      const response = await request(method, path, init);
      await response.body?.cancel();
    },
    async bytes(path, maxBytes) {
      const response = await request('GET', path, {});
      const size = Number(response.headers.get('content-length') ?? 0);
      if (size > maxBytes)
        throw new TributaryError('too-large', `${path} has ${size} bytes, the limit is ${maxBytes}.`);
      try {
        return new Uint8Array(await response.arrayBuffer());
      } catch (error) {
        throw unreachable(base, error);
      }
    },
    async stream(path, own) {
      const response = await request('GET', path, {}, own);
      return response.body ?? new ReadableStream({ start: (controller) => controller.close() });
    },
  };
}

async function refusal(base: string, request: string, response: Response): Promise<TributaryError> {
  const text = await response.text().catch(() => '');
  let body: unknown;
  try {
    body = JSON.parse(text.slice(0, LIMITS.controlFrame));
  } catch {
    body = undefined;
  }
  if (Value.Check(ProblemBody, body))
    return new TributaryError(body.code, body.message, { remedy: body.remedy });
  if (response.status === 502 || response.status === 503 || response.status === 504)
    return new TributaryError(
      'unavailable',
      `${base} answers ${response.status}: the coordinator behind it is away.`,
    );
  return noCoordinator(base, request, response.status);
}

function noCoordinator(base: string, request: string, status?: number): TributaryError {
  const how = status === undefined ? 'with something that is no JSON' : `with status ${status}`;
  return new TributaryError(
    'unavailable',
    `${base} answers ${request} ${how}: not as a Tributary coordinator does.`,
    {
      remedy: 'Check the address; a proxy in between must pass /v1 through.',
    },
  );
}

/** Interruptions stay what they are; everything else means that nobody answered. */
export function unreachable(base: string, error: unknown): Error {
  if (error instanceof TributaryError) return error;
  const { name, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'AbortError') return error as Error;
  if (name === 'TimeoutError')
    return new TributaryError('unavailable', `${base} has not answered for ${ANSWER_MS / 1000} s.`);
  const reason = cause?.code ?? cause?.message ?? name;
  return new TributaryError('unavailable', `${base} does not answer (${reason}).`, {
    remedy:
      reason === 'ECONNREFUSED'
        ? 'Is the coordinator running (`tributary-server start`)? Check address and port.'
        : `Check the address and the network. ${ERRORS.unavailable.remedy}`,
    cause: error,
  });
}
