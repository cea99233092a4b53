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
import { type BodyBuffer, createBodyBuffer } from './body.ts';
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
  /** What takes the body of a 2xx answer; it keeps what came when the answer breaks off. */
  readonly into?: (status: number, headers: IncomingHttpHeaders) => BodyBuffer;
}

const SILENCE_MS = 30_000;
const MAX_PROBLEM = 64 * 1024;
/** Written at once, so that a body that moves is no silence: bytes. */
const SLICE = 256 * 1024;
/**
 * Of a body that left this process, so much may still lie in buffers of the system and of a proxy; it is on its way for
 * as long as the slowest link that we promise to serve takes: bytes, and bytes per second.
 */
const BUFFERED = 8 * 1024 * 1024;
const SLOWEST = 64_000;
/**
 * A body that brings less than this while silence would end it is ended, too: else a byte now and then would hold a
 * request for ever. The coordinator asks the same of uploads: bytes per second.
 */
const MIN_RATE = 1024;

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
  request.setTimeout(silenceMs, () => request.destroy(tooSlow(url, `was silent for ${silenceMs / 1000} s`)));
  try {
    const response = await answerOf(request, options, silenceMs);
    const { headers } = response;
    options.onHeaders?.(headers);
    const status = response.statusCode ?? 0;
    const good = status >= 200 && status < 300;
    const buffer =
      (good && options.into?.(status, headers)) || createBodyBuffer(good ? options.maxBytes : MAX_PROBLEM);
    await collect(
      response,
      buffer,
      (sent) => {
        const least = Math.ceil((MIN_RATE * silenceMs) / 1000);
        if (sent < least)
          response.destroy(tooSlow(url, `sent fewer than ${least} bytes in ${silenceMs / 1000} s`));
      },
      silenceMs,
    );
    const bytes = buffer.bytes();
    if (good) return bytes;
    throw problemOf(status, bytes, `${method} ${url.pathname}`);
  } catch (thrown) {
    request.destroy();
    signal?.throwIfAborted();
    throw networkProblem(url, thrown as NodeJS.ErrnoException);
  }
}

/** An answer may come before the body is sent whole (a refusal): then the rest is not sent. */
function answerOf(
  request: ClientRequest,
  { url, body }: HttpRequest,
  silenceMs: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let deadline: NodeJS.Timeout | undefined;
    let answered = false;
    const settled = () => {
      answered = true;
      clearTimeout(deadline);
    };
    request.on('response', resolve).once('response', settled);
    request.on('error', reject).once('close', settled);
    /** Headers or interim answers that drip are no silence. */
    const expectIn = (ms: number) => {
      clearTimeout(deadline);
      const end = () => request.destroy(tooSlow(url, `gave no answer within ${ms / 1000} s`));
      if (!answered) deadline = setTimeout(end, ms).unref();
    };
    expectIn(silenceMs);
    request.once('drain', () => clearTimeout(deadline));
    if (!body) return void request.end();
    let at = 0;
    const send = () => {
      while (at < body.length && !request.destroyed) {
        const slice = body.subarray(at, at + SLICE);
        at += slice.length;
        if (!request.write(slice)) return void request.once('drain', send);
      }
      const onTheWay = (1000 * Math.min(body.length, BUFFERED)) / SLOWEST;
      if (!request.destroyed)
        request.end(() => {
          request.setTimeout(silenceMs + onTheWay);
          expectIn(silenceMs + onTheWay);
        });
    };
    send();
  });
}

/** @param look at the bytes that came in each `everyMs` */
async function collect(
  response: IncomingMessage,
  into: BodyBuffer,
  look: (bytes: number) => void,
  everyMs: number,
): Promise<void> {
  const announced = Number(response.headers['content-length'] ?? Number.NaN);
  if (Number.isInteger(announced)) into.expect(announced);
  let bytes = 0;
  const watch = setInterval(() => {
    look(bytes);
    bytes = 0;
  }, everyMs).unref();
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      into.append(chunk);
    }
  } finally {
    clearInterval(watch);
  }
  if (!response.complete) throw new TributaryError('unavailable', 'The answer was cut off.');
}

function tooSlow(url: URL, what: string): TributaryError {
  return new TributaryError('timed-out', `${url.origin} ${what}.`);
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
