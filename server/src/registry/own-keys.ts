/** The coordinator's own keys: the present one, and those that it replaced (PROTOCOL.md 4.8). */
import { join } from 'node:path';
import { type Identity, requireRotation, type SignedRotation, TributaryError } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import type { Store } from '../storage/ports.ts';
import { adoptNextIdentity, IDENTITY_FILE, NEXT_IDENTITY_FILE, readIfThere } from './identity-file.ts';

/** The rotations that led to the key `id`, oldest first. @throws bad-signature for one that was changed on disk */
export async function ownRotations(store: Pick<Store, 'rotations'>, id: string): Promise<SignedRotation[]> {
  const own = (await store.rotations()).filter(({ rotation }) => rotation.subject === 'coordinator');
  const before = new Map(own.map((signed) => [signed.rotation.new, signed]));
  const chain: SignedRotation[] = [];
  for (let last = before.get(id); last; last = before.get(last.rotation.old)) {
    requireRotation(nodeCrypto, last, { subject: 'coordinator' });
    chain.unshift(last);
  }
  return chain;
}

/** Under which this coordinator may have signed: former keys, oldest first, then the present one. */
export async function ownKeys(store: Pick<Store, 'rotations'>, id: string): Promise<string[]> {
  return [...(await ownRotations(store, id)).map(({ rotation }) => rotation.old), id];
}

/**
 * The key is replaced in the database before it is in its file: what a crash left between the two is finished here.
 * @returns the identity, if this did. @throws storage-failed when the key that the database names is not there
 */
export async function finishOwnRotation(
  folder: string,
  store: Pick<Store, 'rotationOf'>,
): Promise<Identity | null> {
  const present = await readIfThere(join(folder, IDENTITY_FILE));
  const replaced = present && (await store.rotationOf(present.id));
  if (!replaced) return null;
  const next = await readIfThere(join(folder, NEXT_IDENTITY_FILE));
  if (next?.id !== replaced.rotation.new)
    throw new TributaryError(
      'storage-failed',
      `${IDENTITY_FILE} holds key ${present.id}, which was replaced by ${replaced.rotation.new}; that one is not in ${folder}.`,
      { remedy: `Put the newer ${IDENTITY_FILE} back, from a backup made after the rotation.` },
    );
  await adoptNextIdentity(folder);
  return next;
}

/**
 * A key is made for a new folder only: with another one, nobody who is enrolled would know this coordinator again.
 * @throws storage-failed when the key of a folder in use is gone
 */
export async function requireOwnKey(folder: string, store: Pick<Store, 'tokens' | 'ownKey'>): Promise<void> {
  if (await readIfThere(join(folder, IDENTITY_FILE))) return;
  if ((await store.tokens()).length === 0 && (await store.ownKey()) === null) return;
  throw new TributaryError(
    'storage-failed',
    `${IDENTITY_FILE} is not in ${folder}, whose database is in use.`,
    {
      remedy: `Put ${IDENTITY_FILE} back, from a backup of this folder: partners know the coordinator by that key.`,
    },
  );
}

/**
 * The key in the file must be the one that the database ends with: with another one, nobody who is enrolled would know this
 * coordinator again, and its own transcripts would be a stranger's.
 * @param id of the key in the file. @throws storage-failed
 */
export async function requireKeyOf(store: Pick<Store, 'rotationOf' | 'ownKey'>, id: string): Promise<void> {
  const replaced = await store.rotationOf(id);
  if (replaced)
    throw new TributaryError(
      'storage-failed',
      `${IDENTITY_FILE} holds key ${id}, which was replaced by ${replaced.rotation.new} in the database.`,
      {
        remedy:
          'A rotation of the key was interrupted: `tributary-server rotate-key` or a start finishes it, in the folder where it was; then make a backup.',
      },
    );
  const known = await store.ownKey();
  if (known === null || known === id) return;
  throw new TributaryError(
    'storage-failed',
    `${IDENTITY_FILE} holds key ${id}; this database is of the coordinator with key ${known}.`,
    {
      remedy: `Put the ${IDENTITY_FILE} that belongs to this database back, from a backup of this folder: partners know the coordinator by that key.`,
    },
  );
}
