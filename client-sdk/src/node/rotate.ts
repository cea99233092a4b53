/** A new key for this node, signed by the old one (PROTOCOL.md 4.8). */
import { signRotation } from '@tributary/protocol';
import { crashPoint, nodeCrypto } from '@tributary/protocol/node';
import { postRotation } from '../connection/requests.ts';
import { requireSecureUrl } from '../connection/url.ts';
import { loadEnrolment } from './enrolment.ts';
import { adoptNextIdentity, loadIdentity, openNextIdentity } from './identity-file.ts';
import { lockFolder } from './lock.ts';
import { noteSeen } from './members.ts';

export interface RotateKeyOptions {
  /** State folder; no node may be running on it. */
  readonly folder: string;
  /** Of the old key, and of the new one. */
  readonly passphrase: string;
  /** Allows plain HTTP to another machine. */
  readonly allowInsecure?: boolean;
}

export interface RotatedKey {
  readonly old: string;
  readonly key: string;
}

/**
 * Makes a new key, has the coordinator put it in the place of the old one, and forgets that. Interrupted at any point it
 * can be called again: the new key is on disk before the coordinator hears of it, and it answers the same twice.
 * @throws already-running, forbidden (wrong passphrase, suspended), key-rotated (to a key that is not here: it was stolen),
 * unauthenticated (clocks differ, or removed), unavailable, storage-failed
 */
export async function rotateKey(options: RotateKeyOptions): Promise<RotatedKey> {
  const { folder, passphrase, allowInsecure = false } = options;
  const { url, key: coordinator } = await loadEnrolment(folder);
  const base = requireSecureUrl(url, allowInsecure);
  const release = await lockFolder(folder);
  try {
    const before = await loadIdentity(folder, passphrase);
    const after = await openNextIdentity(folder, before, passphrase);
    const terms = { subject: 'member', coordinator, time: Date.now() } as const;
    const { members } = await postRotation(base, signRotation(nodeCrypto, before, after, terms));
    crashPoint('node.rotate.bound');
    await adoptNextIdentity(folder);
    // The key is changed, whatever becomes of this: the node notes it again when it connects.
    await noteSeen(folder, members).catch(() => {});
    return { old: before.id, key: after.id };
  } finally {
    await release();
  }
}
