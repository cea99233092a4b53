/** What outlives the coordinator: rows, models, updates. Only what a call has finished is here; a death takes the rest. */
import { createHash } from 'node:crypto';
import {
  appendEntry,
  type Commit,
  createMemoryStore,
  type EvaluationRow,
  type JournalEntry,
  type JournalHead,
  type PartnerRow,
  type RoundRow,
  type RunRow,
  refusals,
  replaceSnapshot,
  requireEpoch,
  type Snapshot,
  type Store,
  type UpdateRow,
  type VoidRow,
} from '@tributary/server/parts';
import type { Dice } from '../dice.ts';

/** Rows of the database: a backup holds a copy of them, taken between two transactions. */
interface Rows {
  epoch: number;
  runs: Map<string, RunRow>;
  rounds: RoundRow[];
  evaluations: EvaluationRow[];
  voids: VoidRow[];
  snapshots: Map<string, Snapshot>;
  journal: JournalEntry[];
  updates: UpdateRow[];
}

/** What has come of an update that is not complete. */
export interface PartialFile {
  readonly sha256: string;
  bytes: Uint8Array;
  /** A loss of power leaves at least so many of them. */
  synced: number;
}

export interface Disk extends Rows {
  blobs: Map<string, Uint8Array>;
  /** By `ATTEMPT/MEMBER`. */
  spool: Map<string, Uint8Array>;
  partials: Map<string, PartialFile>;
  /** Partners. */
  readonly others: Store;
}

export interface Image extends Rows {
  readonly blobs: Map<string, Uint8Array>;
  readonly partners: readonly PartnerRow[];
}

export function createDisk(): Disk {
  return {
    epoch: 1,
    runs: new Map(),
    rounds: [],
    evaluations: [],
    voids: [],
    snapshots: new Map(),
    journal: [],
    updates: [],
    blobs: new Map(),
    spool: new Map(),
    partials: new Map(),
    others: createMemoryStore(),
  };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** As `backup/write.ts`: rows, models; nothing of updates on their way. Rows are replaced, never changed. */
export async function takeImage(disk: Disk): Promise<Image> {
  const { epoch, runs, rounds, evaluations, voids, snapshots, journal, updates, blobs } = disk;
  return {
    epoch,
    runs: new Map(runs),
    rounds: [...rounds],
    evaluations: [...evaluations],
    voids: [...voids],
    snapshots: new Map(snapshots),
    journal: [...journal],
    updates: [...updates],
    blobs: new Map(blobs),
    partners: await disk.others.partners(),
  };
}

/** @param epoch as `backup/restore.ts` raises it */
export async function putImage(disk: Disk, image: Image, epoch: number): Promise<void> {
  const { partners, blobs, runs, snapshots, ...rows } = image;
  Object.assign(disk, {
    ...rows,
    ...{ epoch, rounds: [...rows.rounds], evaluations: [...rows.evaluations] },
    ...{ voids: [...rows.voids], journal: [...rows.journal], updates: [...rows.updates] },
    ...{ runs: new Map(runs), snapshots: new Map(snapshots), blobs: new Map(blobs) },
    ...{ spool: new Map(), partials: new Map() },
  });
  for (const { name, status, key, instance, incident } of partners) {
    if (status !== 'invited') await disk.others.setPartnerStatus(name, status);
    if (key) await disk.others.notePartner(key, { instance, incident });
  }
}

/** The coordinator's machine went down: of what was not synced, some is there. */
export function losePower(disk: Disk, dice: Dice): void {
  for (const [path, partial] of disk.partials) {
    const left = partial.synced + dice.below(partial.bytes.length - partial.synced + 1);
    partial.bytes = partial.bytes.subarray(0, left);
    partial.synced = left;
    if (left === 0) disk.partials.delete(path);
  }
}

/** All or nothing: everything is checked before anything is changed. */
export function commitTo(disk: Disk, commit: Commit): void {
  requireEpoch(disk.epoch, commit.epoch);
  const heads = new Map<string, JournalHead>();
  const headOf = (run: string): JournalHead => {
    const snapshot = disk.snapshots.get(run)?.seq ?? 0;
    const last = disk.journal.findLast((entry) => entry.run === run)?.seq ?? snapshot;
    return heads.get(run) ?? { snapshot, last };
  };
  for (const entry of commit.journal ?? []) heads.set(entry.run, appendEntry(headOf(entry.run), entry));
  for (const row of commit.updates ?? []) {
    const known = disk.updates.find(
      ({ attempt, member }) => attempt === row.attempt && member === row.member,
    );
    if (known && known.sha256 !== row.sha256) throw refusals.otherUpdate(row.attempt, row.member);
  }
  for (const { run, round } of commit.rounds ?? [])
    if (disk.rounds.some((row) => row.run === run && row.round === round))
      throw refusals.roundTaken(run, round);
  for (const snapshot of commit.snapshots ?? [])
    heads.set(snapshot.run, replaceSnapshot(headOf(snapshot.run), snapshot));

  for (const run of commit.runs ?? []) disk.runs.set(run.id, run);
  disk.journal.push(...(commit.journal ?? []));
  disk.updates.push(...(commit.updates ?? []));
  disk.rounds.push(...(commit.rounds ?? []));
  disk.voids.push(...(commit.voids ?? []));
  for (const row of commit.evaluations ?? []) {
    const same = (other: EvaluationRow): boolean =>
      other.round === row.round && other.report.evaluator === row.report.evaluator;
    disk.evaluations = [...disk.evaluations.filter((other) => !same(other)), row];
  }
  for (const snapshot of commit.snapshots ?? []) {
    disk.snapshots.set(snapshot.run, snapshot);
    disk.journal = disk.journal.filter(({ run, seq }) => run !== snapshot.run || seq > snapshot.seq);
    const now = new Set(commit.updates?.map(({ attempt }) => attempt));
    disk.updates = disk.updates.filter(({ run, attempt }) => run !== snapshot.run || now.has(attempt));
  }
}
