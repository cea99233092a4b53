/**
 * The real cryptography; what was computed before in this simulation is not computed again: a signature that was made
 * here over a message is known to be good, and both sides of a key agreement come to the same secret. Private keys, which
 * are no secrets here, stay imported.
 */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject, sign } from 'node:crypto';
import type { Crypto } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';

const MOST = 20_000;

export function createRememberingCrypto(): Crypto {
  const verified = new Map<string, boolean>();
  const signed = new Map<string, Uint8Array>();
  const agreed = new Map<string, Uint8Array>();
  const keys = new Map<string, KeyObject>();
  const publicKeys = new Map<string, Uint8Array>();

  function privateKey(crv: 'Ed25519' | 'X25519', secret: Uint8Array): KeyObject {
    return remember(keys, crv + text(secret), () => {
      const key = { kty: 'OKP', crv, d: base64(secret), x: base64(new Uint8Array(32)) };
      return createPrivateKey({ key, format: 'jwk' });
    });
  }
  function publicOf(secret: Uint8Array): Uint8Array {
    return remember(publicKeys, text(secret), () => {
      const { x } = createPublicKey(privateKey('X25519', secret)).export({ format: 'jwk' });
      return Uint8Array.from(Buffer.from(x!, 'base64url'));
    });
  }
  function identityOf(seed: Uint8Array): Uint8Array {
    return remember(publicKeys, `identity ${text(seed)}`, () => nodeCrypto.ed25519PublicKey(seed));
  }
  function agree(secret: Uint8Array, peer: Uint8Array): Uint8Array {
    const key = { kty: 'OKP', crv: 'X25519', x: base64(peer) };
    const publicKey = remember(keys, `peer ${text(peer)}`, () => createPublicKey({ key, format: 'jwk' }));
    return Uint8Array.from(diffieHellman({ privateKey: privateKey('X25519', secret), publicKey }));
  }

  return {
    ...nodeCrypto,
    ed25519Sign(message, seed) {
      const key = `${text(seed)}|${text(message)}`;
      return remember(signed, key, () => {
        const signature = Uint8Array.from(sign(null, message, privateKey('Ed25519', seed)));
        verified.set(`${text(signature)}|${text(identityOf(seed))}|${text(message)}`, true);
        return signature;
      }).slice();
    },
    ed25519Verify(signature, message, publicKey) {
      const key = `${text(signature)}|${text(publicKey)}|${text(message)}`;
      return remember(verified, key, () => nodeCrypto.ed25519Verify(signature, message, publicKey));
    },
    x25519PublicKey: (secret) => publicOf(secret).slice(),
    x25519(secret, peer) {
      const pair = [text(publicOf(secret)), text(peer)].sort().join('|');
      try {
        return remember(agreed, pair, () => agree(secret, peer)).slice();
      } catch {
        // Low order, or another length: in the words of the adapter.
        return nodeCrypto.x25519(secret, peer);
      }
    },
  };
}

function remember<T>(known: Map<string, T>, key: string, compute: () => T): T {
  const before = known.get(key);
  if (before !== undefined) return before;
  if (known.size > MOST) known.clear();
  const value = compute();
  known.set(key, value);
  return value;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
