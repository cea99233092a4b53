import type { IncomingMessage } from 'node:http';
import { expect, it } from 'vitest';
import { parseProxies, senderOf } from './proxies.ts';

const isProxy = parseProxies('10.0.0.0/8');
const sender = (remoteAddress: string | undefined, forwarded: string) =>
  senderOf({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } } as never, isProxy);

it.each<[string, IncomingMessage['socket']['remoteAddress'], string, string]>([
  ['of a stranger is not looked at', '192.0.2.7', '198.51.100.1', '192.0.2.7'],
  [
    'counts from the right: what a sender wrote itself does not',
    '10.0.0.1',
    '198.51.100.1, 192.0.2.7',
    '192.0.2.7',
  ],
  ['that is no address ends there', '10.0.0.1', '198.51.100.1, unknown', '10.0.0.1'],
  ['on a connection that is gone says nothing', undefined, '198.51.100.1', ''],
])('an X-Forwarded-For %s', (_, remote, forwarded, expected) => {
  expect(sender(remote, forwarded)).toBe(expected);
});

it('takes a connection that is gone, as Fastify shows it, for no proxy', () => {
  expect(isProxy(undefined as unknown as string)).toBe(false);
});
