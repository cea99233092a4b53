/** One turn of the coordinator as one transaction. */
import { crashPoint } from '@tributary/protocol/node';
import type { Transaction } from 'kysely';
import { type Commit, type UpdateRow, VOIDS_KEPT, type VoidRow } from '../ports.ts';
import { appendEntry, type JournalHead, refusals, replaceSnapshot, requireEpoch } from '../rules.ts';
import { type Tables, toTable } from './tables.ts';

type Tx = Transaction<Tables>;

export async function applyCommit(tx: Tx, commit: Commit): Promise<void> {
  const { epoch } = await tx.selectFrom('coordinator').select('epoch').executeTakeFirstOrThrow();
  requireEpoch(epoch, commit.epoch);
  for (const run of commit.runs ?? []) {
    const { id, ...rest } = toTable.run(run);
    const insert = tx.insertInto('runs').values({ id, ...rest });
    await insert.onConflict((on) => on.column('id').doUpdateSet(rest)).execute();
  }
  await requireRuns(tx, commit);
  for (const entry of commit.journal ?? []) {
    appendEntry(await journalHead(tx, entry.run), entry);
    await tx.insertInto('journal').values(toTable.entry(entry)).execute();
  }
  if (commit.journal?.length) crashPoint('coordinator.transaction.journalled');
  for (const update of commit.updates ?? []) await insertUpdate(tx, update);
  for (const row of commit.rounds ?? []) {
    const insert = tx.insertInto('rounds').values(toTable.round(row));
    const result = await insert.onConflict((on) => on.doNothing()).executeTakeFirst();
    if (result.numInsertedOrUpdatedRows !== 1n) throw refusals.roundTaken(row.run, row.round);
  }
  for (const row of commit.evaluations ?? []) {
    const values = toTable.evaluation(row);
    const insert = tx.insertInto('evaluations').values(values);
    const key = ['run', 'round', 'evaluator'] as const;
    await insert.onConflict((on) => on.columns(key).doUpdateSet({ report: values.report })).execute();
  }
  for (const row of commit.voids ?? []) await insertVoid(tx, row);
  for (const snapshot of commit.snapshots ?? []) {
    replaceSnapshot(await journalHead(tx, snapshot.run), snapshot);
    const { run, ...rest } = toTable.snapshot(snapshot);
    const insert = tx.insertInto('snapshots').values({ run, ...rest });
    await insert.onConflict((on) => on.column('run').doUpdateSet(rest)).execute();
    await tx.deleteFrom('journal').where('run', '=', run).where('seq', '<=', snapshot.seq).execute();
    await deleteUpdates(tx, run, new Set(commit.updates?.map(({ attempt }) => attempt)));
    crashPoint('coordinator.transaction.compacted');
  }
  crashPoint('coordinator.transaction.applied');
}

/** The foreign keys would refuse an unknown run as well, but without its name. */
async function requireRuns(tx: Tx, commit: Commit): Promise<void> {
  const { journal = [], updates = [], rounds = [], evaluations = [], voids = [], snapshots = [] } = commit;
  const named = new Set(
    [...journal, ...updates, ...rounds, ...evaluations, ...voids, ...snapshots].map((row) => row.run),
  );
  for (const run of named) {
    const present = await tx.selectFrom('runs').select('id').where('id', '=', run).executeTakeFirst();
    if (!present) throw refusals.unknownRun(run);
  }
}

async function journalHead(tx: Tx, run: string): Promise<JournalHead> {
  const entries = tx.selectFrom('journal').select('seq').where('run', '=', run);
  const last = await entries.orderBy('seq', 'desc').limit(1).executeTakeFirst();
  const snapshot = await tx.selectFrom('snapshots').select('seq').where('run', '=', run).executeTakeFirst();
  return { snapshot: snapshot?.seq ?? 0, last: last?.seq ?? snapshot?.seq ?? 0 };
}

async function insertVoid(tx: Tx, { run, round, attempt, ...rest }: VoidRow): Promise<void> {
  const insert = tx.insertInto('voids').values({ run, round, attempt, ...rest });
  const key = ['run', 'round', 'attempt'] as const;
  await insert.onConflict((on) => on.columns(key).doUpdateSet(rest)).execute();
  const times = tx.selectFrom('voids').select('time').where('run', '=', run).orderBy('time', 'desc');
  const last = await times.offset(VOIDS_KEPT).limit(1).executeTakeFirst();
  if (last) await tx.deleteFrom('voids').where('run', '=', run).where('time', '<=', last.time).execute();
}

/** Those of attempts that are over. */
async function deleteUpdates(tx: Tx, run: string, except: ReadonlySet<string>): Promise<void> {
  const all = tx.deleteFrom('updates').where('run', '=', run);
  await (except.size === 0 ? all : all.where('attempt', 'not in', [...except])).execute();
}

async function insertUpdate(tx: Tx, update: UpdateRow): Promise<void> {
  const { attempt, member } = update;
  const same = tx.selectFrom('updates').select('sha256');
  const present = await same.where('attempt', '=', attempt).where('member', '=', member).executeTakeFirst();
  if (present && present.sha256 !== update.sha256) throw refusals.otherUpdate(attempt, member);
  if (!present) await tx.insertInto('updates').values(update).execute();
}
