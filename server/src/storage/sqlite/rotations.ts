/** Keys that replaced others, and keys that are nobody's any more, in SQLite. */
import type { SignedRotation } from '@tributary/protocol';
import { crashPoint } from '@tributary/protocol/node';
import type { Kysely, Transaction } from 'kysely';
import type { PartnerRow, Store } from '../ports.ts';
import { judgeRotation, refusals, requireFewRotations } from '../rules.ts';
import { fromTable, type Tables } from './tables.ts';

type Rotations = Pick<
  Store,
  'rotate' | 'ownKey' | 'noteOwnKey' | 'addOwnRotation' | 'rotations' | 'rotationOf'
>;

export function createRotations(db: Kysely<Tables>): Rotations {
  return {
    rotate: (signed) => db.transaction().execute((tx) => rotate(tx, signed)),
    ownKey: async () => (await db.selectFrom('coordinator').select('key').executeTakeFirstOrThrow()).key,
    async noteOwnKey(key) {
      await db.updateTable('coordinator').set({ key }).where('key', 'is', null).execute();
    },
    addOwnRotation: (signed) =>
      db.transaction().execute(async (tx) => {
        const { rotation } = signed;
        const replaced = await rotationOf(tx, rotation.old);
        if (replaced?.rotation.new === rotation.new) return;
        if (replaced || (await isTaken(tx, rotation.new))) throw refusals.keyTaken();
        const before = await rotationsTo(tx, rotation.old);
        requireFewRotations(before, 'coordinator');
        await insert(tx, signed, before + 1);
        await tx.updateTable('coordinator').set({ key: rotation.new }).execute();
      }),
    async rotations() {
      const rows = await db.selectFrom('rotations').select('rotation').execute();
      return rows.map(({ rotation }) => JSON.parse(rotation));
    },
    rotationOf: (key) => rotationOf(db, key),
  };
}

async function rotate(tx: Transaction<Tables>, signed: SignedRotation): Promise<PartnerRow> {
  const { rotation } = signed;
  const partner = async (key: string) => {
    const row = await tx.selectFrom('partners').selectAll().where('key', '=', key).executeTakeFirst();
    return row && fromTable.partner(row);
  };
  const replaced = await rotationOf(tx, rotation.old);
  const owner = await partner(rotation.old);
  const taken = await isTaken(tx, rotation.new);
  const before = await rotationsTo(tx, rotation.old);
  const listed = await rotationsOfAll(tx);
  if (!judgeRotation(signed, { replaced, owner, taken, before, listed })) {
    const update = tx.updateTable('partners').set({ key: rotation.new });
    await update.where('key', '=', rotation.old).execute();
    await insert(tx, signed, before + 1);
    crashPoint('coordinator.rotate.applied');
  }
  const now = await partner(rotation.new);
  if (!now) throw refusals.noLonger();
  return now;
}

async function insert(tx: Transaction<Tables>, signed: SignedRotation, nth: number): Promise<void> {
  const { old, new: next } = signed.rotation;
  await tx
    .insertInto('rotations')
    .values({ old, new: next, nth, rotation: JSON.stringify(signed) })
    .execute();
}

async function rotationOf(db: Kysely<Tables>, key: string): Promise<SignedRotation | undefined> {
  const row = await db.selectFrom('rotations').select('rotation').where('old', '=', key).executeTakeFirst();
  return row && JSON.parse(row.rotation);
}

async function rotationsTo(db: Kysely<Tables>, key: string): Promise<number> {
  const row = await db.selectFrom('rotations').select('nth').where('new', '=', key).executeTakeFirst();
  return row?.nth ?? 0;
}

/** That lead to the keys of partners. */
async function rotationsOfAll(db: Kysely<Tables>): Promise<number> {
  const counted = db
    .selectFrom('rotations')
    .innerJoin('partners', 'partners.key', 'rotations.new')
    .select(({ fn }) => fn.sum<number | null>('nth').as('count'));
  return (await counted.executeTakeFirstOrThrow()).count ?? 0;
}

/** Somebody's, or was. */
async function isTaken(db: Kysely<Tables>, key: string): Promise<boolean> {
  return (
    (await db.selectFrom('partners').select('key').where('key', '=', key).executeTakeFirst()) !== undefined ||
    (await isRetired(db, key))
  );
}

/** It was somebody's, or was promised to be. */
export async function isRetired(db: Kysely<Tables>, key: string): Promise<boolean> {
  const rotated = db
    .selectFrom('rotations')
    .select('old')
    .where((or) => or.or([or('old', '=', key), or('new', '=', key)]));
  const removed = db.selectFrom('removed_keys').select('key').where('key', '=', key);
  return (await rotated.executeTakeFirst()) !== undefined || (await removed.executeTakeFirst()) !== undefined;
}
