/** Sources of randomness for engines with WebCrypto, and the seeded one for tests and simulations. */
import { concat, utf8 } from '../encoding.ts';
import type { Crypto, Random } from './port.ts';

/** WebCrypto fills at most 65,536 bytes in one call. */
const QUOTA = 65_536;

/** The operating system's generator through WebCrypto: browsers, workers, Deno, Bun, Node. */
export const portableRandom: Random = (bytes) => {
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += QUOTA) globalThis.crypto.getRandomValues(out.subarray(at, at + QUOTA));
  return out;
};

/**
 * A reproducible stream: AES-256-CTR under SHA-256 of the seed, one stream per Random.
 * For tests and simulations only: whoever knows the seed knows every byte.
 */
export function seededRandom(crypto: Crypto, seed: Uint8Array): Random {
  const stream = crypto.keystream(crypto.sha256(concat(utf8('tributary/seeded-random\0'), seed)));
  return (bytes) => Uint8Array.from(stream.next(bytes));
}
