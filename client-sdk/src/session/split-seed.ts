/** Which rows are held out follows from the node's first key: they must not change sides when the key does. */
import { type Crypto, type Identity, utf8 } from '@tributary/protocol';

/** The key of a node, and what its successors keep of the first one. */
export interface NodeIdentity extends Identity {
  /** 32 bytes; missing where this is the first key. */
  readonly splitSeed?: Uint8Array;
}

/** Rows that were once trained on must never be evaluated on, under whatever key. */
export function splitSeedOf(crypto: Crypto, { seed, splitSeed }: NodeIdentity): Uint8Array {
  return splitSeed ?? crypto.hkdf(seed, new Uint8Array(32), utf8('tributary/1/hold-out'), 32);
}
