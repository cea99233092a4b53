/**
 * The Node adapter of the Crypto port: node:crypto (OpenSSL) only, for the hot paths of coordinator and client.
 * This file and node-*.ts beside it are the only ones of the protocol that may use Node built-ins.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  diffieHellman,
  hkdfSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import {
  badTag,
  lowOrder,
  plausibleSignature,
  requireContributory,
  requireHkdfLength,
  requireLength,
} from './checks.ts';
import { identityKey, privateKey, publicKey, rawPublicKey } from './node-keys.ts';
import type { Crypto, Keystream, Random } from './port.ts';

const TAG = { authTagLength: 16 } as const;

export const nodeCrypto: Crypto = {
  name: 'node',
  sha256: (data) => plain(createHash('sha256').update(data).digest()),
  hmac: (key, data) => plain(createHmac('sha256', key).update(data).digest()),
  hkdf(secret, salt, info, length) {
    requireHkdfLength(length);
    return new Uint8Array(hkdfSync('sha256', secret, salt, info, length));
  },
  ed25519PublicKey(seed) {
    requireLength('An Ed25519 seed', seed, 32);
    return rawPublicKey(privateKey('Ed25519', seed));
  },
  ed25519Sign(message, seed) {
    requireLength('An Ed25519 seed', seed, 32);
    return plain(sign(null, message, privateKey('Ed25519', seed)));
  },
  ed25519Verify(signature, message, key) {
    if (!plausibleSignature(signature, key)) return false;
    try {
      return verify(null, message, identityKey(key), signature);
    } catch {
      return false;
    }
  },
  x25519PublicKey(secret) {
    requireLength('An X25519 secret', secret, 32);
    return rawPublicKey(privateKey('X25519', secret));
  },
  x25519(secret, peer) {
    requireLength('An X25519 secret', secret, 32);
    requireLength('An X25519 public key', peer, 32);
    return requireContributory(agree(secret, peer));
  },
  seal(key, nonce, plaintext, aad) {
    requireLength('A ChaCha20-Poly1305 key', key, 32);
    requireLength('A ChaCha20-Poly1305 nonce', nonce, 12);
    const cipher = createCipheriv('chacha20-poly1305', key, nonce, TAG);
    cipher.setAAD(aad, { plaintextLength: plaintext.length });
    return plain(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
  },
  open(key, nonce, sealed, aad) {
    requireLength('A ChaCha20-Poly1305 key', key, 32);
    requireLength('A ChaCha20-Poly1305 nonce', nonce, 12);
    if (sealed.length < 16) throw badTag();
    const end = sealed.length - 16;
    const decipher = createDecipheriv('chacha20-poly1305', key, nonce, TAG);
    decipher.setAAD(aad, { plaintextLength: end }).setAuthTag(sealed.subarray(end));
    const plaintext = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
    } catch {
      throw badTag();
    }
    return plain(plaintext);
  },
  keystream(key) {
    requireLength('An AES-256 key', key, 32);
    return nodeKeystream(key);
  },
};

/** The operating system's generator. */
export const nodeRandom: Random = (bytes) => plain(randomBytes(bytes));

/** Encrypted to get the bare key stream; longer requests go through it piece by piece. */
const ZEROS = new Uint8Array(256 * 1024);

function nodeKeystream(key: Uint8Array): Keystream {
  const cipher = createCipheriv('aes-256-ctr', key, ZEROS.subarray(0, 16));
  return {
    next(bytes) {
      if (bytes <= ZEROS.length) return cipher.update(ZEROS.subarray(0, bytes));
      const out = new Uint8Array(bytes);
      for (let at = 0; at < bytes; at += ZEROS.length)
        out.set(cipher.update(ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at))), at);
      return out;
    },
  };
}

/** OpenSSL itself refuses a derivation that ends in all zeros. */
function agree(secret: Uint8Array, peer: Uint8Array): Uint8Array {
  const keys = { privateKey: privateKey('X25519', secret), publicKey: publicKey('X25519', peer) };
  try {
    return plain(diffieHellman(keys));
  } catch (cause) {
    throw lowOrder(cause);
  }
}

/**
 * A Uint8Array that owns its memory. A Buffer's methods differ (slice aliases), and small Buffers lie in a shared pool,
 * which must be neither shown nor transferred to a worker.
 */
function plain(buffer: Buffer): Uint8Array {
  if (buffer.length !== buffer.buffer.byteLength) return Uint8Array.from(buffer);
  return new Uint8Array(buffer.buffer);
}
