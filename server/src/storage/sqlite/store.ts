/** The Store port over SQLite. */
import { crashPoint } from '@tributary/protocol/node';
import { Kysely, SqliteDialect, sql } from 'kysely';
import type { PartnerRow, Store } from '../ports.ts';
import { refusals } from '../rules.ts';
import { applyCommit } from './commit.ts';
import { asStorageError, type OpenOptions, openDatabase } from './open.ts';
import { createRotations, isRetired } from './rotations.ts';
import { fromTable, type Tables, toTable } from './tables.ts';

export interface SqliteStore extends Store {
  /** Writes a consistent copy of the database, while it is in use, into a new or empty file. */
  copyTo(file: string): Promise<void>;
  /** From now on every write needs the new epoch. @throws conflict when it is not above the present one */
  raiseEpoch(epoch: number): Promise<void>;
}

/** @throws already-running, unsupported-version, storage-failed */
export async function openSqliteStore(folder: string, options: OpenOptions = {}): Promise<SqliteStore> {
  const handle = await openDatabase(folder, options);
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: handle }) });
  // Kysely closes only what it has used.
  await db.selectFrom('coordinator').select('epoch').executeTakeFirstOrThrow();
  const typed = createStore(db);
  return guard(typed, folder);
}

function createStore(db: Kysely<Tables>): SqliteStore {
  const partners = () => db.selectFrom('partners').selectAll();
  return {
    epoch: async () => (await db.selectFrom('coordinator').select('epoch').executeTakeFirstOrThrow()).epoch,
    async copyTo(file) {
      await sql`VACUUM INTO ${file}`.execute(db);
    },
    async raiseEpoch(epoch) {
      const raise = db.updateTable('coordinator').set({ epoch }).where('epoch', '<', epoch);
      const { numUpdatedRows } = await raise.executeTakeFirstOrThrow();
      if (numUpdatedRows !== 1n) throw refusals.epochNotRaised(epoch);
    },
    commit: (commit) => db.transaction().execute((tx) => applyCommit(tx, commit)),

    async runs() {
      const rows = await db.selectFrom('runs').selectAll().orderBy('created').orderBy('id').execute();
      return rows.map(fromTable.run);
    },
    async run(id) {
      const row = await db.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
      return row && fromTable.run(row);
    },
    async rounds(run) {
      const rows = db.selectFrom('rounds').selectAll().where('run', '=', run).orderBy('round');
      return (await rows.execute()).map(fromTable.round);
    },
    async evaluations(run) {
      const rows = db.selectFrom('evaluations').selectAll().where('run', '=', run).orderBy('round');
      return (await rows.execute()).map(fromTable.evaluation);
    },
    updates: (attempt) =>
      db.selectFrom('updates').selectAll().where('attempt', '=', attempt).orderBy('received').execute(),
    voids: (run) => db.selectFrom('voids').selectAll().where('run', '=', run).orderBy('time').execute(),
    async namedBlobs() {
      const named = await sql<{ hash: string }>`
        SELECT initial_model AS hash FROM runs UNION SELECT model FROM runs
        UNION SELECT json_extract(record, '$.model') FROM rounds`.execute(db);
      return new Set(named.rows.map(({ hash }) => hash));
    },
    async snapshot(run) {
      const row = await db.selectFrom('snapshots').selectAll().where('run', '=', run).executeTakeFirst();
      return row && fromTable.snapshot(row);
    },
    async journal(run) {
      const rows = db.selectFrom('journal').selectAll().where('run', '=', run).orderBy('seq');
      return (await rows.execute()).map(fromTable.entry);
    },

    tokens: () => db.selectFrom('tokens').selectAll().orderBy('name').execute(),
    tokenByHash: (hash) => db.selectFrom('tokens').selectAll().where('hash', '=', hash).executeTakeFirst(),
    async addToken(token) {
      const insert = db.insertInto('tokens').values(token);
      const result = await insert.onConflict((on) => on.column('name').doNothing()).executeTakeFirst();
      if (result.numInsertedOrUpdatedRows !== 1n) throw refusals.tokenTaken(token.name);
    },
    async removeToken(name) {
      const result = await db.deleteFrom('tokens').where('name', '=', name).executeTakeFirst();
      return result.numDeletedRows === 1n;
    },

    async partners() {
      return (await partners().orderBy('name').execute()).map(fromTable.partner);
    },
    async partnerByKey(key) {
      const row = await partners().where('key', '=', key).executeTakeFirst();
      return row && fromTable.partner(row);
    },
    async invite(partner) {
      const { name, ...rest } = toTable.partner(partner);
      const insert = db.insertInto('partners').values({ name, ...rest });
      const upsert = insert.onConflict((on) =>
        on.column('name').doUpdateSet(rest).where('partners.status', '=', 'invited'),
      );
      const result = await upsert.executeTakeFirst();
      if (result.numInsertedOrUpdatedRows !== 1n) throw refusals.partnerTaken(name);
    },
    enrol: (inviteHash, key, now) =>
      db.transaction().execute(async (tx): Promise<PartnerRow> => {
        const found = tx.selectFrom('partners').selectAll().where('invite_hash', '=', inviteHash);
        const invited = await found.executeTakeFirst();
        if (!invited || now >= (invited.invite_expires ?? 0)) throw refusals.invite();
        const taken = tx.selectFrom('partners').select('name').where('key', '=', key);
        if ((await taken.executeTakeFirst()) || (await isRetired(tx, key))) throw refusals.keyTaken();
        const change = {
          status: 'active',
          key,
          invite_hash: null,
          invite_expires: null,
          last_seen: now,
        } as const;
        await tx.updateTable('partners').set(change).where('name', '=', invited.name).execute();
        crashPoint('coordinator.enrol.applied');
        return fromTable.partner({ ...invited, ...change });
      }),
    async setPartnerStatus(name, status) {
      const update = db.updateTable('partners').set({ status }).where('name', '=', name);
      const result = await update.where('status', '!=', 'invited').executeTakeFirst();
      return result.numUpdatedRows === 1n;
    },
    removePartner: (name) =>
      db.transaction().execute(async (tx) => {
        const rows = tx.deleteFrom('partners').where('name', '=', name).returningAll();
        const row = await rows.executeTakeFirst();
        if (row?.key)
          await tx
            .insertInto('removed_keys')
            .values({ key: row.key })
            .onConflict((on) => on.doNothing())
            .execute();
        crashPoint('coordinator.partner-removed.applied');
        return row && fromTable.partner(row);
      }),
    ...createRotations(db),
    async touchPartner(key, now) {
      await db.updateTable('partners').set({ last_seen: now }).where('key', '=', key).execute();
    },
    async notePartner(key, { instance, incident }) {
      const change = {
        ...(instance === undefined ? {} : { instance: instance && JSON.stringify(instance) }),
        ...(incident === undefined ? {} : { incident: incident && JSON.stringify(incident) }),
      };
      await db.updateTable('partners').set(change).where('key', '=', key).execute();
    },
    close: () => db.destroy(),
  };
}

/** Every method fails with typed errors only. */
function guard<T extends Store>(store: T, folder: string): T {
  const guarded = Object.entries(store).map(([name, method]) => [
    name,
    async (...parameters: unknown[]) => {
      try {
        return await (method as (...all: unknown[]) => Promise<unknown>)(...parameters);
      } catch (cause) {
        throw asStorageError(cause, folder);
      }
    },
  ]);
  return Object.fromEntries(guarded) as T;
}
