/** What outlives the coordinator: rows, models, updates. Only what a call has finished is here; a death takes the rest. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { TributaryError } from '@tributary/protocol';
import {
  appendEntry,
  type Blobs,
  type Commit,
  createMemoryStore,
  type JournalEntry,
  type JournalHead,
  type RoundRow,
  type RunRow,
  refusals,
  replaceSnapshot,
  requireEpoch,
  type Snapshot,
  type Spool,
  type Store,
  type UpdateRow,
  type VoidRow,
} from '@tributary/server/parts';
import type { Life, Ports } from './process.ts';

const EPOCH = 1;

export interface Disk {
  readonly runs: Map<string, RunRow>;
  readonly rounds: RoundRow[];
  readonly voids: VoidRow[];
  readonly snapshots: Map<string, Snapshot>;
  journal: JournalEntry[];
  updates: UpdateRow[];
  readonly blobs: Map<string, Uint8Array>;
  /** By `ATTEMPT/MEMBER`. */
  readonly spool: Map<string, Uint8Array>;
  /** Partners; nothing in here can change them. */
  readonly others: Store;
}

export function createDisk(): Disk {
  return {
    runs: new Map(),
    rounds: [],
    voids: [],
    snapshots: new Map(),
    journal: [],
    updates: [],
    blobs: new Map(),
    spool: new Map(),
    others: createMemoryStore(EPOCH),
  };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const copy = <T>(value: T): T => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

export interface DiskPorts {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly spool: Spool;
  /** As the route for updates does it. @throws conflict, hash-mismatch */
  receive(attempt: string, member: string, bytes: Uint8Array, hash: string): Promise<void>;
  /** Whole models, as the cache in front of the folder gives them. */
  readBlob(hash: string): Promise<Buffer>;
}

/** @param committed told of every transaction, at the instant at which it is on disk */
export function openDisk(
  disk: Disk,
  life: Life,
  ports: Ports,
  committed: (commit: Commit) => void,
): DiskPorts {
  const read = <T>(port: Parameters<Ports['call']>[1], get: () => T): Promise<T> =>
    ports.call(life, port, () => copy(get()));
  const unused = (name: string) => (): never => {
    throw new TributaryError('internal', `The simulated disk has no ${name}.`);
  };

  const store: Store = {
    ...disk.others,
    epoch: () => read('store.epoch', () => EPOCH),
    commit: (given) => {
      const commit = copy(given);
      const effect = (torn: boolean) => {
        // A torn transaction is rolled back at the next start.
        if (torn) return;
        apply(disk, commit);
        committed(commit);
      };
      return ports.call(life, 'store.commit', effect, { writes: true });
    },
    runs: () => read('store.runs', () => [...disk.runs.values()]),
    run: async (id) => copy(disk.runs.get(id)),
    rounds: async (run) => copy(disk.rounds.filter((row) => row.run === run)),
    evaluations: async () => [],
    updates: async (attempt) => copy(disk.updates.filter((row) => row.attempt === attempt)),
    voids: async (run) => copy(disk.voids.filter((row) => row.run === run)),
    snapshot: (run) => read('store.snapshot', () => disk.snapshots.get(run)),
    journal: (run) => read('store.journal', () => disk.journal.filter((entry) => entry.run === run)),
    partnerByKey: async (key) => {
      const partner = await disk.others.partnerByKey(key);
      return ports.call(life, 'store.partnerByKey', () => partner);
    },
    touchPartner: (key, now) =>
      ports.call(life, 'store.touchPartner', () => void disk.others.touchPartner(key, now), { writes: true }),
    notePartner: (key, change) =>
      ports.call(life, 'store.notePartner', () => void disk.others.notePartner(key, change), {
        writes: true,
      }),
  };

  const blobs: Blobs = {
    put(bytes) {
      const kept = Uint8Array.from(bytes);
      const hash = sha256(kept);
      const effect = (torn: boolean) => {
        // Half of it lies under another name, which the next start deletes.
        if (!torn) disk.blobs.set(hash, kept);
        return hash;
      };
      return ports.call(life, 'blobs.put', effect, { writes: true });
    },
    receive: unused('receive'),
    has: async (hash) => disk.blobs.has(hash),
    list: async () => [],
    read: unused('read'),
    async remove(hash) {
      disk.blobs.delete(hash);
    },
    collect: () => false,
  };

  const spool: Spool = {
    receive: unused('stream') as (...args: [string, string, Readable, object]) => never,
    path: (attempt, member) => `${attempt}/${member}`,
    holds: (attempt, member, hash) =>
      ports.call(life, 'spool.holds', () => {
        const bytes = disk.spool.get(`${attempt}/${member}`);
        return bytes !== undefined && sha256(bytes) === hash;
      }),
    remove: (attempt) => {
      const effect = (torn: boolean) => {
        const inside = [...disk.spool.keys()].filter((path) => path.startsWith(`${attempt}/`));
        for (const path of torn ? inside.slice(1) : inside) disk.spool.delete(path);
      };
      return ports.call(life, 'spool.remove', effect, { writes: true });
    },
    list: () =>
      ports.call(life, 'spool.list', () => [
        ...new Set([...disk.spool.keys()].map((path) => path.slice(0, 64))),
      ]),
  };

  return {
    store,
    blobs,
    spool,
    receive(attempt, member, bytes, hash) {
      const path = `${attempt}/${member}`;
      const effect = (torn: boolean) => {
        const there = disk.spool.get(path);
        if (there && sha256(there) !== hash)
          throw new TributaryError('conflict', 'Another update was sent before: the first one counts.');
        if (sha256(bytes) !== hash) throw new TributaryError('hash-mismatch', 'The update is another one.');
        if (!torn) disk.spool.set(path, bytes);
      };
      return ports.call(life, 'spool.receive', effect, { writes: true });
    },
    readBlob: (hash) =>
      ports.call(life, 'blobs.read', () => {
        const bytes = disk.blobs.get(hash);
        if (!bytes) throw new TributaryError('not-found', `No model ${hash}.`);
        return Buffer.from(bytes);
      }),
  };
}

/** All or nothing: everything is checked before anything is changed. */
function apply(disk: Disk, commit: Commit): void {
  requireEpoch(EPOCH, commit.epoch);
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
  for (const snapshot of commit.snapshots ?? []) {
    disk.snapshots.set(snapshot.run, snapshot);
    disk.journal = disk.journal.filter(({ run, seq }) => run !== snapshot.run || seq > snapshot.seq);
    const now = new Set(commit.updates?.map(({ attempt }) => attempt));
    disk.updates = disk.updates.filter(({ run, attempt }) => run !== snapshot.run || now.has(attempt));
  }
}
