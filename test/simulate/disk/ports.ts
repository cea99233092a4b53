/** The coordinator's storage ports on the simulated disk. */
import { TributaryError } from '@tributary/protocol';
import type { Blobs, Commit, ResumableSpool, Store } from '@tributary/server/parts';
import type { Life, Ports } from '../process.ts';
import { commitTo, type Disk, sha256 } from './disk.ts';
import { createSpool } from './spool.ts';

const copy = <T>(value: T): T => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

export interface DiskPorts {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly spool: ResumableSpool;
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
    epoch: () => read('store.epoch', () => disk.epoch),
    commit: (given) => {
      const commit = copy(given);
      const effect = (torn: boolean) => {
        // A torn transaction is rolled back at the next start.
        if (torn) return;
        commitTo(disk, commit);
        committed(commit);
      };
      return ports.call(life, 'store.commit', effect, { writes: true });
    },
    runs: () => read('store.runs', () => [...disk.runs.values()]),
    run: async (id) => copy(disk.runs.get(id)),
    rounds: async (run) => copy(disk.rounds.filter((row) => row.run === run)),
    evaluations: async (run) => copy(disk.evaluations.filter((row) => row.run === run)),
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
    setPartnerStatus: async (name, status) =>
      await ports.call(life, 'store.setPartnerStatus', () => disk.others.setPartnerStatus(name, status), {
        writes: true,
      }),
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

  return {
    store,
    blobs,
    spool: createSpool(disk, life, ports),
    readBlob: (hash) =>
      ports.call(life, 'blobs.read', () => {
        const bytes = disk.blobs.get(hash);
        if (!bytes) throw new TributaryError('not-found', `No model ${hash}.`);
        return Buffer.from(bytes);
      }),
  };
}
