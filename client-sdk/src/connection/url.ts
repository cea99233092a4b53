import { TributaryError } from '@tributary/protocol';

/**
 * Plain HTTP is for this machine only: on any other way a listener sees which models move when, and how big they are.
 * (Control frames and updates stay sealed or masked, and requests authenticated, even then.)
 * @throws malformed for what is no http(s) URL, policy-refused for plain HTTP off loopback.
 */
export function requireSecureUrl(text: string, allowInsecure: boolean): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new TributaryError('malformed', `The coordinator's address is an http or https URL, not ${text}.`);
  if (url.protocol === 'http:' && !allowInsecure && !isLoopback(url.hostname))
    throw new TributaryError('policy-refused', `${url.origin} is plain HTTP to another machine.`, {
      remedy: 'Use an https:// address, or allow it on purpose with --allow-insecure.',
    });
  return url;
}

export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
