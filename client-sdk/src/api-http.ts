/** Requests of people to one coordinator: bearer token, time limits, and every failure as a TributaryError. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { LIMITS, ProblemBody, TributaryError } from '@tributary/protocol';
import { Value } from '@tributary/protocol/typebox';
import { agentFor } from './connection/agents.ts';
import { networkProblem } from './connection/problems.ts';

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
    { body, type, limit }: { body?: Uint8Array | string; type?: string; limit?: AbortSignal } = {},
  ): Promise<IncomingMessage> {
    const target = new URL(base + path);
    const signals = [signal, limit].filter((each) => each !== undefined);
    const ended = AbortSignal.any(signals);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
          method,
          headers: {
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(type === undefined ? {} : { 'content-type': type }),
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
          },
          agent: agentFor(target),
          signal: ended,
        });
        sent.on('response', resolve).on('error', reject);
        sent.end(body);
      });
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return response;
      throw refusal(base, `${method} ${path}`, status, await text(response).catch(() => ''));
    } catch (error) {
      throw failure(target, ended, error);
    }
  }

  return {
    async json(method, path, body) {
      const limit = AbortSignal.timeout(ANSWER_MS);
      const given = body === undefined ? {} : { body: JSON.stringify(body), type: 'application/json' };
      const response = await request(method, path, { ...given, limit });
      let answer: string;
      try {
        answer = await text(response);
      } catch (error) {
        throw failure(new URL(base), limit, error);
      }
      try {
        return JSON.parse(answer);
      } catch {
        throw noCoordinator(base, `${method} ${path}`);
      }
    },
    async send(method, path, body) {
      const given = body === undefined ? {} : { body, type: 'application/octet-stream' };
      (await request(method, path, given)).resume();
    },
    async bytes(path, maxBytes) {
      const response = await request('GET', path);
      const size = Number(response.headers['content-length'] ?? 0);
      if (size > maxBytes) {
        response.destroy();
        throw new TributaryError('too-large', `${path} has ${size} bytes, the limit is ${maxBytes}.`);
      }
      try {
        return new Uint8Array(await buffer(response));
      } catch (error) {
        throw failure(new URL(base), signal, error);
      }
    },
    async stream(path, own) {
      const response = await request('GET', path, own ? { limit: own } : {});
      return Readable.toWeb(response) as ReadableStream<Uint8Array>;
    },
  };
}

function refusal(base: string, request: string, status: number, answer: string): TributaryError {
  let body: unknown;
  try {
    body = JSON.parse(answer.slice(0, LIMITS.controlFrame));
  } catch {
    body = undefined;
  }
  if (Value.Check(ProblemBody, body))
    return new TributaryError(body.code, body.message, { remedy: body.remedy });
  if (status === 502 || status === 503 || status === 504)
    return new TributaryError('unavailable', `${base} answers ${status}: the coordinator behind it is away.`);
  return noCoordinator(base, request, status);
}

function noCoordinator(base: string, request: string, status?: number): TributaryError {
  const how = status === undefined ? 'with something that is no JSON' : `with status ${status}`;
  return new TributaryError(
    'unavailable',
    `${base} answers ${request} ${how}: not as a Tributary coordinator does.`,
    {
      remedy:
        'Check the address; a proxy in between must pass /v1 through. `tributary doctor --coordinator URL` tests the way.',
    },
  );
}

/** Interruptions stay what they are; everything else means that nobody answered. */
function failure(url: URL, signal: AbortSignal | undefined, error: unknown): Error {
  if (error instanceof TributaryError) return error;
  if ((signal?.reason as Error | undefined)?.name === 'TimeoutError')
    return new TributaryError('unavailable', `${url.origin} has not answered for ${ANSWER_MS / 1000} s.`);
  if ((error as Error).name === 'AbortError') return error as Error;
  return networkProblem(url, error as NodeJS.ErrnoException);
}
