/**
 * Two-way signed handshake with ephemeral X25519 keys (SIGMA-style; PROTOCOL.md 4.1). The keys derived here seal every
 * control frame and authenticate every HTTP request, so that neither a TLS-ending proxy nor a stolen token can act for a
 * partner. Pure: randomness is passed in as ephemeral secrets and nonces.
 */
import type { Crypto } from '../crypto/port.ts';
import { fromBase64, toBase64, utf8 } from '../encoding.ts';
import { TributaryError } from '../errors.ts';
import { type Identity, requireSignature, sign, statement } from '../identity.ts';
import type { Hello, Prove, Welcome } from '../messages.ts';
import { PROTOCOL_VERSION, SOFTWARE_VERSION } from '../version.ts';

/** Fresh randomness of one side of one handshake: 32 bytes each. */
export interface Ephemeral {
  readonly secret: Uint8Array;
  readonly nonce: Uint8Array;
}

/** 32-byte keys: one per direction for frames, one for HTTP requests. */
export interface SessionKeys {
  readonly session: string;
  readonly clientToServer: Uint8Array;
  readonly serverToClient: Uint8Array;
  readonly http: Uint8Array;
}

export function createHello(crypto: Crypto, identity: Identity, ephemeral: Ephemeral): Hello {
  return {
    type: 'hello',
    versions: [PROTOCOL_VERSION],
    software: SOFTWARE_VERSION,
    identity: identity.id,
    ephemeral: toBase64(crypto.x25519PublicKey(ephemeral.secret)),
    nonce: toBase64(ephemeral.nonce),
  };
}

/**
 * @param session 16 random bytes that name the session.
 * @throws unsupported-version
 */
export function createWelcome(
  crypto: Crypto,
  coordinator: Identity,
  ephemeral: Ephemeral,
  hello: Hello,
  epoch: number,
  session: Uint8Array,
): Welcome {
  if (!hello.versions.includes(PROTOCOL_VERSION))
    throw new TributaryError(
      'unsupported-version',
      `The client speaks protocol ${hello.versions.join(', ')}, this coordinator ${PROTOCOL_VERSION}.`,
    );
  const unsigned = {
    type: 'welcome' as const,
    version: PROTOCOL_VERSION,
    software: SOFTWARE_VERSION,
    coordinator: coordinator.id,
    ephemeral: toBase64(crypto.x25519PublicKey(ephemeral.secret)),
    nonce: toBase64(ephemeral.nonce),
    epoch,
    session: toBase64(session),
  };
  return { ...unsigned, signature: sign(crypto, coordinator, 'handshake-server', [hello, unsigned]) };
}

/**
 * The client's side, once the welcome is here.
 * @param pinned the coordinator's key that came with the invite.
 * @throws wrong-coordinator, bad-signature, unsupported-version
 */
export function finishAsClient(
  crypto: Crypto,
  identity: Identity,
  ephemeral: Ephemeral,
  hello: Hello,
  welcome: Welcome,
  pinned: string,
): { prove: Prove; keys: SessionKeys } {
  if (welcome.coordinator !== pinned)
    throw new TributaryError(
      'wrong-coordinator',
      `The coordinator shows key ${welcome.coordinator}, pinned is ${pinned}.`,
    );
  if (welcome.version !== PROTOCOL_VERSION)
    throw new TributaryError('unsupported-version', `The coordinator chose protocol ${welcome.version}.`);
  const { signature, ...unsigned } = welcome;
  requireSignature(crypto, pinned, 'handshake-server', [hello, unsigned], signature, 'the welcome');
  const prove: Prove = {
    type: 'prove',
    signature: sign(crypto, identity, 'handshake-client', [hello, welcome]),
  };
  return { prove, keys: deriveKeys(crypto, ephemeral.secret, welcome.ephemeral, hello, welcome) };
}

/** The coordinator's side, once the proof is here. @throws bad-signature */
export function finishAsServer(
  crypto: Crypto,
  ephemeral: Ephemeral,
  hello: Hello,
  welcome: Welcome,
  prove: Prove,
): SessionKeys {
  requireSignature(
    crypto,
    hello.identity,
    'handshake-client',
    [hello, welcome],
    prove.signature,
    'the handshake',
  );
  return deriveKeys(crypto, ephemeral.secret, hello.ephemeral, hello, welcome);
}

function deriveKeys(
  crypto: Crypto,
  secret: Uint8Array,
  peer: string,
  hello: Hello,
  welcome: Welcome,
): SessionKeys {
  const shared = crypto.x25519(secret, fromBase64(peer));
  const salt = crypto.sha256(statement('handshake-client', [hello, welcome]));
  const keys = crypto.hkdf(shared, salt, utf8('tributary/1/session'), 96);
  return {
    session: welcome.session,
    clientToServer: keys.slice(0, 32),
    serverToClient: keys.slice(32, 64),
    http: keys.slice(64, 96),
  };
}
