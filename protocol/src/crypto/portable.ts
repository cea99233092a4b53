/**
 * The portable adapter of the Crypto port: tweetnacl for curve 25519, noble for the rest. Any JavaScript engine.
 * About 0.15 GB/s of key stream and 3 ms per signature check: for browsers and as the second opinion in tests.
 */
import { ctr } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import nacl from 'tweetnacl';
import {
  badTag,
  plausibleSignature,
  requireContributory,
  requireHkdfLength,
  requireLength,
} from './checks.ts';
import type { Crypto, Keystream } from './port.ts';

export const portableCrypto: Crypto = {
  name: 'portable',
  sha256: (data) => sha256(data),
  hmac: (key, data) => hmac(sha256, key, data),
  hkdf(secret, salt, info, length) {
    requireHkdfLength(length);
    return hkdf(sha256, secret, salt, info, length);
  },
  ed25519PublicKey(seed) {
    requireLength('An Ed25519 seed', seed, 32);
    return nacl.sign.keyPair.fromSeed(seed).publicKey;
  },
  ed25519Sign(message, seed) {
    requireLength('An Ed25519 seed', seed, 32);
    return nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(seed).secretKey);
  },
  ed25519Verify: (signature, message, publicKey) =>
    plausibleSignature(signature, publicKey) && nacl.sign.detached.verify(message, signature, publicKey),
  x25519PublicKey(secret) {
    requireLength('An X25519 secret', secret, 32);
    return nacl.scalarMult.base(secret);
  },
  x25519(secret, peer) {
    requireLength('An X25519 secret', secret, 32);
    requireLength('An X25519 public key', peer, 32);
    return requireContributory(nacl.scalarMult(secret, peer));
  },
  seal(key, nonce, plaintext, aad) {
    requireLength('A ChaCha20-Poly1305 key', key, 32);
    requireLength('A ChaCha20-Poly1305 nonce', nonce, 12);
    return chacha20poly1305(key, nonce, aad).encrypt(plaintext);
  },
  open(key, nonce, sealed, aad) {
    requireLength('A ChaCha20-Poly1305 key', key, 32);
    requireLength('A ChaCha20-Poly1305 nonce', nonce, 12);
    if (sealed.length < 16) throw badTag();
    try {
      return chacha20poly1305(key, nonce, aad).decrypt(sealed);
    } catch {
      throw badTag();
    }
  },
  keystream(key) {
    requireLength('An AES-256 key', key, 32);
    return portableKeystream(key.slice());
  },
};

/** noble's CTR is one-shot, so each call starts at its own counter block; the rest of a split block is kept. */
function portableKeystream(key: Uint8Array): Keystream {
  let counter = 0;
  let rest = new Uint8Array(0);
  return {
    next(bytes) {
      const out = new Uint8Array(bytes);
      const kept = rest.subarray(0, bytes);
      out.set(kept);
      rest = rest.subarray(kept.length);
      const missing = bytes - kept.length;
      if (missing === 0) return out;
      const blocks = Math.ceil(missing / 16);
      const fresh = ctr(key, counterBlock(counter)).encrypt(new Uint8Array(16 * blocks));
      counter += blocks;
      out.set(fresh.subarray(0, missing), kept.length);
      rest = fresh.slice(missing);
      return out;
    },
  };
}

/** A 128-bit big-endian block number; exact below 2^53 blocks. */
function counterBlock(block: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, Math.floor(block / 2 ** 32));
  view.setUint32(12, block >>> 0);
  return bytes;
}
