/** HTTP requests to the coordinator: bounded answers, typed errors, no redirects, no cookies; a proxy where one is set. */
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest } from 'node:https';
import { ERRORS, type ErrorCode, ProblemBody, TributaryError, validate } from '@tributary/protocol';
import { agentFor } from './agents.ts';
import { networkProblem } from './problems.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Longest answer accepted: bytes. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
  /** Silence on the socket for this long ends the request: milliseconds. */
  readonly silenceMs?: number;
  /** Of the answer, before its body is read. */
  readonly onHeaders?: (headers: IncomingHttpHeaders) => void;
}

const SILENCE_MS = 30_000;
const MAX_PROBLEM = 64 * 1024;

/**
 * @returns the body of a 2xx answer.
 * @throws what the coordinator's problem body says; unavailable, timed-out for the network; too-large; AbortError.
 */
export async function httpSend(options: HttpRequest): Promise<Uint8Array> {
  const { method, url, body, signal, silenceMs = SILENCE_MS } = options;
  const secure = url.protocol === 'https:';
  const headers: Record<string, string | number> = { ...options.headers };
  if (body) headers['content-length'] = body.length;
  const request = (secure ? httpsRequest : httpRequest)(url, {
    method,
    headers,
    agent: agentFor(url),
    ...(signal ? { signal } : {}),
  });
  request.setTimeout(silenceMs, () =>
    request.destroy(new TributaryError('timed-out', `${url.origin} was silent for ${silenceMs / 1000} s.`)),
  );
  try {
    const response = await answerOf(request, body);
    options.onHeaders?.(response.headers);
    const status = response.statusCode ?? 0;
    const good = status >= 200 && status < 300;
    const bytes = await collect(response, good ? options.maxBytes : MAX_PROBLEM);
    if (good) return bytes;
    throw problemOf(status, bytes, `${method} ${url.pathname}`);
  } catch (thrown) {
    request.destroy();
    signal?.throwIfAborted();
    throw networkProblem(url, thrown as NodeJS.ErrnoException);
  }
}

/** An answer may come before the body is sent whole (a refusal): then the rest is not sent. */
function answerOf(request: ClientRequest, body: Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

async function collect(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new TributaryError('too-large', `The answer is longer than ${maxBytes} bytes.`);
  const announced = Number(response.headers['content-length'] ?? Number.NaN);
  if (announced > maxBytes) throw tooLarge();
  // Large answers say how long they are: one buffer of that size, and no second copy.
  let into = new Uint8Array(Number.isInteger(announced) ? announced : 64 * 1024);
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (length + chunk.length > maxBytes) throw tooLarge();
    if (length + chunk.length > into.length) {
      const larger = new Uint8Array(Math.min(maxBytes, 2 * (length + chunk.length)));
      larger.set(into.subarray(0, length));
      into = larger;
    }
    into.set(chunk, length);
    length += chunk.length;
  }
  if (!response.complete) throw new TributaryError('unavailable', 'The answer was cut off.');
  return into.subarray(0, length);
}

function problemOf(status: number, bytes: Uint8Array, what: string): TributaryError {
  try {
    const problem = validate(ProblemBody, JSON.parse(Buffer.from(bytes).toString('utf8')), 'problem');
    return new TributaryError(problem.code, problem.message.slice(0, 1000), {
      remedy: problem.remedy.slice(0, 1000),
    });
  } catch {
    const codes = Object.keys(ERRORS) as ErrorCode[];
    const code = codes.find((known) => ERRORS[known].http === status) ?? 'unavailable';
    return new TributaryError(code, `${what}: the coordinator answered ${status}.`);
  }
}
