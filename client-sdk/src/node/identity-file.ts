/**
 * The node's Ed25519 key at rest: scrypt (RFC 7914) stretches the owner's passphrase into a key that seals the seed with
 * ChaCha20-Poly1305 (RFC 8439). The key is made on this machine and never leaves it.
 */
import { type ScryptOptions, scrypt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Bytes,
  Closed,
  canonicalBytes,
  concat,
  fromBase64,
  type Identity,
  identityFromSeed,
  Key,
  TributaryError,
  toBase64,
  utf8,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { type Static, Type } from '@tributary/protocol/typebox';
import { type NodeIdentity, splitSeedOf } from '../session/index.ts';
import { makePrivateFolder, readJson, replaceFile, writeJson } from './files.ts';

/** 32 MiB and about 0.1 s for each guess (RFC 7914, 2; OWASP asks for N = 2^15 at r = 8 with p = 3, or more). */
const KDF = { name: 'scrypt', N: 2 ** 15, r: 8, p: 1 } as const;
const MIN_PASSPHRASE = 8;

/** The parameters are literals: a file that asks for others was not written by this version. */
const IdentityFile = Closed({
  /** 2: of a successor, with what it keeps of the first key. */
  version: Type.Union([Type.Literal(1), Type.Literal(2)]),
  key: Key,
  kdf: Closed({
    name: Type.Literal(KDF.name),
    N: Type.Literal(KDF.N),
    r: Type.Literal(KDF.r),
    p: Type.Literal(KDF.p),
    salt: Bytes(16),
  }),
  cipher: Type.Literal('chacha20-poly1305'),
  nonce: Type.String({ pattern: '^[A-Za-z0-9_-]{16}$' }),
  sealed: Bytes(80),
});

const pathIn = (folder: string): string => join(folder, 'identity.json');
/** The key that is to take its place: here from before the coordinator hears of it until it has. */
const nextIn = (folder: string): string => join(folder, 'identity.next.json');

/** @throws malformed for a short one */
export function requirePassphrase(passphrase: string): void {
  if (passphrase.length < MIN_PASSPHRASE)
    throw new TributaryError('malformed', `The passphrase needs ${MIN_PASSPHRASE} characters or more.`, {
      remedy: 'Choose a longer passphrase.',
    });
}

/**
 * Makes a new key in the state folder `folder` (created with mode 0700) and returns it.
 * @param passphrase at least 8 characters; whoever has it and the file acts for this partner.
 * @throws conflict when the folder holds a key already, malformed for a short passphrase, storage-failed
 */
export async function createIdentity(folder: string, passphrase: string): Promise<Identity> {
  requirePassphrase(passphrase);
  await makePrivateFolder(folder);
  const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
  await write(pathIn(folder), identity, passphrase);
  return identity;
}

/**
 * Makes the successor of the key in `folder`, or reads the one that an interrupted rotation left.
 * @throws forbidden for a wrong passphrase, storage-failed
 */
export async function openNextIdentity(
  folder: string,
  before: NodeIdentity,
  passphrase: string,
): Promise<NodeIdentity> {
  const started = await findNextIdentity(folder, passphrase);
  if (started) return started;
  const splitSeed = splitSeedOf(nodeCrypto, before);
  const next = { ...identityFromSeed(nodeCrypto, nodeRandom(32)), splitSeed };
  await write(nextIn(folder), next, passphrase);
  return next;
}

/** The successor that something interrupted left. @throws forbidden for a wrong passphrase, storage-failed */
export async function findNextIdentity(
  folder: string,
  passphrase: string,
): Promise<NodeIdentity | undefined> {
  const path = nextIn(folder);
  const started = await readJson(path, IdentityFile);
  if (!started) return undefined;
  if (started.key === (await readIdentityKey(folder))) {
    // `replaceIdentity` was interrupted after its first half.
    await discardNextIdentity(folder);
    return undefined;
  }
  return unseal(path, started, passphrase);
}

/** For a successor that no coordinator will ever know. */
export async function discardNextIdentity(folder: string): Promise<void> {
  await rm(nextIn(folder), { force: true });
}

/** The successor takes the place of the key, which is gone then. */
export async function adoptNextIdentity(folder: string): Promise<void> {
  await replaceFile(nextIn(folder), pathIn(folder));
}

/** The same for a successor under a passphrase of its own, and for the key that is there. */
export async function replaceIdentity(
  folder: string,
  identity: NodeIdentity,
  passphrase: string,
): Promise<void> {
  await write(pathIn(folder), identity, passphrase, false);
  await discardNextIdentity(folder);
}

async function write(
  path: string,
  identity: NodeIdentity,
  passphrase: string,
  exclusive = true,
): Promise<void> {
  const { seed, splitSeed } = identity;
  const kdf = { ...KDF, salt: toBase64(nodeRandom(16)) };
  const nonce = nodeRandom(12);
  const version = splitSeed ? 2 : 1;
  const head = { version, key: identity.id, kdf, cipher: 'chacha20-poly1305' as const };
  const sealed = nodeCrypto.seal(
    await stretch(passphrase, kdf.salt),
    nonce,
    splitSeed ? concat(seed, splitSeed) : seed,
    canonicalBytes(head),
  );
  await writeJson(path, { ...head, nonce: toBase64(nonce), sealed: toBase64(sealed) }, exclusive);
}

/**
 * @throws not-found when there is no key, forbidden for a wrong passphrase or an altered file, storage-failed for a file
 * that does not fit its schema.
 */
export async function loadIdentity(folder: string, passphrase: string): Promise<NodeIdentity> {
  return unseal(pathIn(folder), await readIdentityFile(folder), passphrase);
}

async function unseal(
  path: string,
  { nonce, sealed, ...head }: Static<typeof IdentityFile>,
  passphrase: string,
): Promise<NodeIdentity> {
  let secrets: Uint8Array;
  try {
    const key = await stretch(passphrase, head.kdf.salt);
    secrets = nodeCrypto.open(key, fromBase64(nonce), fromBase64(sealed), canonicalBytes(head));
  } catch {
    throw new TributaryError(
      'forbidden',
      `${path} does not open: wrong passphrase, or the file was altered.`,
      {
        remedy: 'Give the passphrase that was chosen at `tributary node init`.',
      },
    );
  }
  const identity = identityFromSeed(nodeCrypto, secrets.slice(0, 32));
  if (identity.id !== head.key || secrets.length !== 32 * head.version)
    throw new TributaryError('forbidden', `${path} holds another key than it says.`, {
      remedy: 'Restore the file from a backup.',
    });
  return head.version === 2 ? { ...identity, splitSeed: secrets.slice(32) } : identity;
}

/** Id of the key in `folder`, without the passphrase; undefined when there is none. */
export async function readIdentityKey(folder: string): Promise<string | undefined> {
  return (await readJson(pathIn(folder), IdentityFile))?.key;
}

async function readIdentityFile(folder: string): Promise<Static<typeof IdentityFile>> {
  const file = await readJson(pathIn(folder), IdentityFile);
  if (file) return file;
  throw new TributaryError('not-found', `${folder} holds no identity.`, {
    remedy: 'Enrol this node first: `tributary node init INVITE`.',
  });
}

function stretch(passphrase: string, salt: string): Promise<Uint8Array> {
  // OpenSSL's own limit of 32 MiB is just below what these parameters take.
  const options: ScryptOptions = { N: KDF.N, r: KDF.r, p: KDF.p, maxmem: 64 * 1024 * 1024 };
  return new Promise((resolve, reject) =>
    scrypt(utf8(passphrase.normalize('NFKC')), fromBase64(salt), 32, options, (error, key) =>
      error ? reject(error) : resolve(new Uint8Array(key)),
    ),
  );
}
