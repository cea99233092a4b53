/** Which coordinator a command talks to, with which token; and that it is still the one that was pinned at login. */
import { fingerprint, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { ArgsDef } from 'citty';
import { type ApiClient, createApiClient } from '../api-client.ts';
import { UsageError } from './command.ts';
import type { Context } from './context.ts';
import { readCredentials } from './credentials.ts';

/** Options of every command that talks to a coordinator. */
export const URL_ARGS = {
  url: {
    type: 'string',
    valueHint: 'URL',
    description: 'Coordinator to ask instead of the one logged in to',
  },
  'allow-insecure': {
    type: 'boolean',
    description: 'Accept http:// to another machine, where everybody on the way can read the token',
  },
} as const satisfies ArgsDef;

export interface Target {
  readonly url: string;
  readonly token: string | undefined;
  /** Key of the coordinator; undefined when the token came from the environment alone. */
  readonly pinned: string | undefined;
}

interface UrlArgs {
  readonly url: string | undefined;
  readonly 'allow-insecure': boolean;
}

/** `--url`, else TRIBUTARY_URL, else where the last login was. @throws unauthenticated when there is none */
export async function findTarget({ io }: Context, args: UrlArgs): Promise<Target> {
  const { current, coordinators } = await readCredentials(io.env);
  const given = args.url ?? io.env.TRIBUTARY_URL ?? current;
  if (!given)
    throw new TributaryError('unauthenticated', 'Not logged in to a coordinator.', {
      remedy: 'Log in with `tributary login URL`, or set TRIBUTARY_URL and TRIBUTARY_TOKEN.',
    });
  const url = normalizeUrl(given);
  const login = coordinators[url];
  requireSafeUrl(url, args['allow-insecure'] || login?.allowInsecure === true);
  return { url, token: io.env.TRIBUTARY_TOKEN || login?.token, pinned: login?.key };
}

/**
 * A client for people's calls. The token leaves only after the coordinator has shown the pinned key; that is no proof
 * (TLS is), but it tells a wrong address and a coordinator that was set up anew from the one that was meant.
 * @throws unauthenticated, wrong-coordinator, unavailable
 */
export async function connect(context: Context, args: UrlArgs): Promise<ApiClient> {
  const { url, token, pinned } = await findTarget(context, args);
  if (token === undefined)
    throw new TributaryError('unauthenticated', `Not logged in to ${url}.`, {
      remedy: `Log in with \`tributary login ${url}\`, or set TRIBUTARY_TOKEN.`,
    });
  const signal = context.io.interrupted;
  if (pinned !== undefined) {
    const { key } = await createApiClient({ url, signal }).coordinator();
    requirePinned(url, key, pinned);
  }
  return createApiClient({ url, token, signal });
}

/** @throws wrong-coordinator */
export function requirePinned(url: string, shown: string, pinned: string): void {
  if (shown === pinned) return;
  throw new TributaryError(
    'wrong-coordinator',
    `${url} shows key ${fingerprint(nodeCrypto, shown)}; at login it was ${fingerprint(nodeCrypto, pinned)}.`,
    {
      remedy: `Ask its operator. If the new key is right: \`tributary logout --url ${url}\`, then log in again.`,
    },
  );
}

/** One spelling per coordinator, so that its token is found again. */
export function normalizeUrl(given: string): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(given);
  const scheme = /^(localhost|127\.|\[::1\])/.test(given) ? 'http' : 'https';
  const text = hasScheme ? given : `${scheme}://${given}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new UsageError(
      `"${given}" is no address of a coordinator.`,
      'Give one such as https://fl.example.org.',
    );
  if (url.username || url.password || url.search || url.hash)
    throw new UsageError(
      `The address holds more than host, port and path.`,
      'Leave user, password, ? and # out.',
    );
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

export function requireSafeUrl(url: string, allowed: boolean): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || allowed || isLoopback(hostname)) return;
  throw new UsageError(
    `${url} is plain HTTP to another machine: everybody on the way can read the token.`,
    'Use https://, or pass --allow-insecure if that network is trusted.',
  );
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
