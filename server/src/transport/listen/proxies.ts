/** Proxies that are trusted to say whom they speak for; nobody else's X-Forwarded-For is looked at. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { TributaryError } from '@tributary/protocol';

export type IsProxy = (address: string) => boolean;

/** @param list of addresses and networks: `10.0.0.5,192.168.0.0/16,fd00::/8`. @throws malformed */
export function parseProxies(list: string): IsProxy {
  const known = new BlockList();
  for (const entry of list.split(',').map((text) => text.trim())) {
    const [address = '', prefix, more] = entry.split('/');
    const version = isIP(address);
    const bits = Number(prefix ?? (version === 4 ? 32 : 128));
    const wellFormed = version !== 0 && more === undefined && /^\d+$/.test(prefix ?? '0');
    // A network of everybody would let everybody choose an address.
    if (!wellFormed || bits < 8 || bits > (version === 4 ? 32 : 128))
      throw new TributaryError(
        'malformed',
        `--trust-proxy: ${JSON.stringify(entry)} is no address or network.`,
        {
          remedy: 'List the addresses of your proxies, as in --trust-proxy 10.0.0.5,192.168.7.0/24.',
        },
      );
    known.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6');
  }
  // A connection that is gone has no address.
  return (address = '') => {
    const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
    const version = isIP(plain);
    return version !== 0 && known.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  };
}

/** The nearest sender that is no trusted proxy, from right to left: what stands further left anybody can write. */
export function senderOf(request: IncomingMessage, isProxy: IsProxy): string {
  let sender = request.socket.remoteAddress ?? '';
  const named = [request.headers['x-forwarded-for'] ?? ''].flat().join(',').split(',');
  while (isProxy(sender)) {
    const before = named.pop()?.trim() ?? '';
    if (isIP(before) === 0) break;
    sender = before;
  }
  return sender;
}
