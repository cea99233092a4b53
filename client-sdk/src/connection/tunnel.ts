/** A TCP connection to the coordinator through a proxy: HTTP CONNECT (RFC 9110, 9.3.6). */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { TributaryError } from '@tributary/protocol';
import { certificateRemedy } from './problems.ts';
import type { ProxyServer } from './proxy.ts';

/** Time for the proxy to open the connection. */
const CONNECT_MS = 15_000;

/** @throws TributaryError saying which proxy, and what it answered */
export function openTunnel(proxy: ProxyServer, hostname: string, port: number): Promise<Socket> {
  const authority = `${hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname}:${port}`;
  return new Promise((resolve, reject) => {
    const request = (proxy.secure ? httpsRequest : httpRequest)({
      host: proxy.hostname,
      port: proxy.port,
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
      },
      agent: false,
      timeout: CONNECT_MS,
    });
    request.once('connect', (response, socket, head) => {
      const status = response.statusCode ?? 0;
      if (status === 200 && head.length === 0) {
        socket.setTimeout(0);
        return resolve(socket as Socket);
      }
      socket.destroy();
      reject(refusal(proxy, authority, status));
    });
    request.once('timeout', () =>
      request.destroy(
        new TributaryError('timed-out', `The proxy ${proxy.origin} was silent for ${CONNECT_MS / 1000} s.`, {
          remedy: remedy(`Check that ${proxy.variable} names the right proxy.`),
        }),
      ),
    );
    request.once('error', (error: NodeJS.ErrnoException) => reject(unreachable(proxy, error)));
    request.end();
  });
}

function refusal(proxy: ProxyServer, authority: string, status: number): TributaryError {
  const { origin, variable } = proxy;
  if (status === 407)
    return new TributaryError(
      'unauthenticated',
      proxy.authorization === undefined
        ? `The proxy ${origin} asks for a user and a password.`
        : `The proxy ${origin} does not take the user and password in ${variable}.`,
      { remedy: remedy(`Put them into ${variable} as http://USER:PASSWORD@HOST:PORT.`) },
    );
  if (status >= 400 && status < 500)
    return new TributaryError('forbidden', `The proxy ${origin} refuses ${authority} (status ${status}).`, {
      remedy: remedy(`Ask those who run the proxy to allow CONNECT to ${authority}.`),
    });
  return new TributaryError(
    'unavailable',
    `The proxy ${origin} cannot connect to ${authority} (status ${status}).`,
    {
      remedy: remedy(`Check the coordinator's address, or exempt it with NO_PROXY.`),
    },
  );
}

function unreachable({ origin, variable }: ProxyServer, error: NodeJS.ErrnoException): TributaryError {
  if (error instanceof TributaryError) return error;
  const why = error.code ?? 'the connection broke';
  return new TributaryError('unavailable', `The proxy ${origin} cannot be reached (${why}).`, {
    remedy: certificateRemedy(error.code) ?? remedy(`Check ${variable}; NO_PROXY exempts single hosts.`),
    cause: error,
  });
}

const remedy = (first: string): string => `${first} Then \`tributary doctor\` tests the way.`;
