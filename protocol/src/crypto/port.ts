/**
 * The Crypto port: the few primitives that the protocol needs, synchronous, over Uint8Array.
 * Two adapters pass the same vectors: `portable` (tweetnacl, noble; any JavaScript engine) and `node` (node:crypto).
 * Randomness is a port of its own, so that every machine above can be driven by a seed in a test.
 */
export interface Crypto {
  readonly name: string;
  /** FIPS 180-4. 32 bytes. */
  sha256(data: Uint8Array): Uint8Array;
  /** RFC 2104 with SHA-256. 32 bytes. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** RFC 5869 with SHA-256, extract then expand. `length` <= 8160 bytes. */
  hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /** RFC 8032 Ed25519. `seed` is the 32-byte private key. */
  ed25519PublicKey(seed: Uint8Array): Uint8Array;
  ed25519Sign(message: Uint8Array, seed: Uint8Array): Uint8Array;
  /** Never throws: false for wrong lengths, wrong points and S >= L (RFC 8032, 5.1.7: no malleable signatures). */
  ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  /** RFC 7748. `secret` is 32 bytes, clamped inside. */
  x25519PublicKey(secret: Uint8Array): Uint8Array;
  /** RFC 7748. @throws bad-signature when the shared secret is all zero (a low-order public key; RFC 7748, 6.1). */
  x25519(secret: Uint8Array, peer: Uint8Array): Uint8Array;
  /** ChaCha20-Poly1305, RFC 8439: ciphertext followed by the 16-byte tag. Key 32, nonce 12 bytes. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** @throws bad-frame when the tag does not fit. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array;
  /** AES-256-CTR key stream from a zero counter block (NIST SP 800-38A); successive calls continue the stream. */
  keystream(key: Uint8Array): Keystream;
}

/** The next `bytes` bytes of the stream. The result may be reused by the next call: consume it first. */
export interface Keystream {
  next(bytes: number): Uint8Array;
}

/** `bytes` random bytes. Production: the operating system's generator; tests: a seeded stream. */
export type Random = (bytes: number) => Uint8Array;
