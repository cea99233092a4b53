/** The real cryptography; what was verified or agreed before in this simulation is not computed again. */
import type { Crypto } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';

const MOST = 20_000;

export function createRememberingCrypto(): Crypto {
  const verified = new Map<string, boolean>();
  const agreed = new Map<string, Uint8Array>();
  const text = (bytes: Uint8Array): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return {
    ...nodeCrypto,
    ed25519Verify(signature, message, publicKey) {
      const key = `${text(signature)}|${text(publicKey)}|${text(message)}`;
      const known = verified.get(key);
      if (known !== undefined) return known;
      if (verified.size > MOST) verified.clear();
      const valid = nodeCrypto.ed25519Verify(signature, message, publicKey);
      verified.set(key, valid);
      return valid;
    },
    x25519(secret, peer) {
      const key = text(secret) + text(peer);
      const known = agreed.get(key);
      if (known) return known.slice();
      if (agreed.size > MOST) agreed.clear();
      const shared = nodeCrypto.x25519(secret, peer);
      agreed.set(key, shared.slice());
      return shared;
    },
  };
}
