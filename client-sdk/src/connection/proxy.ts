/**
 * Which proxy a request goes through, by the variables that curl and most other programs read: HTTPS_PROXY, HTTP_PROXY
 * and NO_PROXY, the lower-case spelling first. This machine itself is never asked for through a proxy.
 */
import { TributaryError } from '@tributary/protocol';
import { isLoopback } from './url.ts';

export interface ProxyServer {
  /** The connection to the proxy itself is TLS. */
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** Value of `proxy-authorization`. A secret: never shown. */
  readonly authorization?: string;
  /** `http://host:port`, fit to be shown. */
  readonly origin: string;
  /** Name of the variable that says so. */
  readonly variable: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns undefined for a direct connection. @throws malformed for a variable that holds no http(s) URL */
export function findProxy(url: URL, env: Environment = process.env): ProxyServer | undefined {
  if (isLoopback(url.hostname)) return undefined;
  const scheme = url.protocol === 'https:' || url.protocol === 'wss:' ? 'https' : 'http';
  const variable = [`${scheme}_proxy`, `${scheme}_proxy`.toUpperCase()].find((name) => env[name]);
  if (variable === undefined) return undefined;
  if (isExempt(url, env.no_proxy || env.NO_PROXY || '')) return undefined;
  return parseProxy(env[variable]!, variable);
}

function parseProxy(text: string, variable: string): ProxyServer {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  // The value is not shown: it may hold a password.
  if (!url || !/^https?:$/.test(url.protocol))
    throw new TributaryError('malformed', `${variable} holds no http:// or https:// address of a proxy.`, {
      remedy: `Set it as in \`export ${variable}=http://proxy.example.org:3128\`, then run \`tributary doctor\`.`,
    });
  const { protocol, hostname, port, host, username, password } = url;
  const secure = protocol === 'https:';
  const login = username || password ? `${decode(username)}:${decode(password)}` : undefined;
  return {
    secure,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (secure ? 443 : 80),
    ...(login === undefined
      ? {}
      : { authorization: `Basic ${Buffer.from(login, 'utf8').toString('base64')}` }),
    origin: `${protocol}//${host}`,
    variable,
  };
}

/** A password may hold a percent sign that nobody escaped. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Entries separated by commas or blanks: `*`, `host`, `.domain`, `*.domain`, each with `:port` where that matters. */
function isExempt({ hostname, port, protocol }: URL, list: string): boolean {
  const actual = port || (protocol === 'https:' || protocol === 'wss:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = entry, wanted] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (wanted !== undefined && wanted !== actual) return false;
      const domain = name.replace(/^\*?\./, '');
      return hostname === domain || hostname.endsWith(`.${domain}`);
    });
}
