/** A new key for this node, signed by the old one (PROTOCOL.md 4.8). */
import { type EnrolResponse, type Identity, signRotation, TributaryError } from '@tributary/protocol';
import { crashPoint, nodeCrypto } from '@tributary/protocol/node';
import { postRotation } from '../connection/requests.ts';
import { askedFor, findSuccessor } from '../connection/successor.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { loadEnrolment, replaceCoordinator } from './enrolment.ts';
import {
  adoptNextIdentity,
  loadIdentity,
  openNextIdentity,
  readIdentityKey,
  replaceIdentity,
  requirePassphrase,
} from './identity-file.ts';
import { lockFolder } from './lock.ts';
import { noteSeen } from './members.ts';
import { findRotation, forgetRotation, noteRotation } from './rotation-file.ts';

export interface RotateKeyOptions {
  /** State folder; no node may be running on it. */
  readonly folder: string;
  /** Of the old key, and of the new one unless it has its own. */
  readonly passphrase: string;
  /** Of the new key: 8 characters or more. */
  readonly newPassphrase?: string | undefined;
  /** Allows plain HTTP to another machine. */
  readonly allowInsecure?: boolean;
  /** The owner's policy is `rotation: follow`: a coordinator whose key the pinned one signed for is gone on with. */
  readonly follow?: boolean;
  /** Tells the owner. Only after that a call makes another key: before, it finishes and tells this rotation again. */
  readonly tell?: (rotated: RotatedKey) => void;
}

export interface RotatedKey {
  readonly old: string;
  readonly key: string;
  /** When it was begun: milliseconds since 1970. */
  readonly time: number;
  /** By an earlier call, which ended before it could tell. */
  readonly earlier: boolean;
}

/**
 * Makes a new key, has the coordinator put it in the place of the old one, and forgets that. Interrupted at any point it
 * can be called again: the new key is on disk before the coordinator hears of it, and it answers the same twice.
 * @throws already-running, forbidden (wrong passphrase, suspended), key-rotated (to a key that is not here: it was stolen),
 * wrong-coordinator (its key was replaced, which the owner has not accepted), malformed (short new passphrase),
 * unauthenticated (clocks differ, or removed), unavailable, storage-failed
 */
export async function rotateKey(options: RotateKeyOptions): Promise<RotatedKey> {
  const { folder, newPassphrase, tell = () => {} } = options;
  if (newPassphrase !== undefined) requirePassphrase(newPassphrase);
  const release = await lockFolder(folder);
  try {
    const rotated = (await doneBefore(options)) ?? (await rotate(options));
    tell(rotated);
    crashPoint('node.rotate.told');
    await forgetRotation(folder);
    return rotated;
  } finally {
    await release();
  }
}

/** The key is in its place already, and its owner has not heard of it. */
async function doneBefore({
  folder,
  passphrase,
  newPassphrase,
}: RotateKeyOptions): Promise<RotatedKey | null> {
  const noted = await findRotation(folder);
  if (!noted || (await readIdentityKey(folder)) !== noted.key) return null;
  const opened = newPassphrase !== undefined && (await loadIdentity(folder, newPassphrase).catch(() => null));
  const identity = opened || (await loadIdentity(folder, passphrase));
  if (newPassphrase !== undefined && !opened) await replaceIdentity(folder, identity, newPassphrase);
  return { ...noted, earlier: true };
}

async function rotate(options: RotateKeyOptions): Promise<RotatedKey> {
  const { folder, passphrase, newPassphrase } = options;
  const before = await loadIdentity(folder, passphrase);
  const after = await openNextIdentity(folder, before, passphrase);
  const { old, key, time } = await noteRotation(folder, { old: before.id, key: after.id, time: Date.now() });
  const { members } = await post(options, before, after);
  crashPoint('node.rotate.bound');
  if (newPassphrase === undefined) await adoptNextIdentity(folder);
  else await replaceIdentity(folder, after, newPassphrase);
  // The key is changed, whatever becomes of this: the node notes it again when it connects.
  await noteSeen(folder, members).catch(() => {});
  return { old, key, time, earlier: false };
}

/** The coordinator may have a new key as well, also since a first try. */
async function post(
  { folder, allowInsecure = false, follow = false }: RotateKeyOptions,
  before: Identity,
  after: Identity,
): Promise<EnrolResponse> {
  const { url, key } = await loadEnrolment(folder);
  const base = requireSecureUrl(url, allowInsecure);
  const postTo = (coordinator: string) => {
    const terms = { subject: 'member', coordinator, time: Date.now() } as const;
    return postRotation(base, signRotation(nodeCrypto, before, after, terms));
  };
  try {
    return await postTo(key);
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== 'wrong-coordinator') throw error;
    const successor = await findSuccessor(base, key);
    if (!successor) throw error;
    if (!follow) throw askedFor(successor);
    await replaceCoordinator(folder, successor);
    return postTo(successor.key);
  }
}
