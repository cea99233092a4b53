/** The coordinator as a process that can die: the real one, on ports that can; put together as `app.ts` does it. */
import { asTributaryError, type ClientMessage, encodeSafetensors } from '@tributary/protocol';
import {
  type Coordinator,
  createCoordinator,
  createEngines,
  createPartners,
  createPeople,
  createStartUp,
  type Partners,
  type People,
  resumeAll,
} from '@tributary/server/parts';
import { type Disk, sha256 } from '../disk/disk.ts';
import { openDisk } from '../disk/ports.ts';
import { createClock } from '../disk/simulated.ts';
import { COORDINATOR } from '../faults/faults.ts';
import type { Session } from '../network.ts';
import type { Life } from '../process.ts';
import type { World } from '../world.ts';
import { createAggregation } from './aggregation.ts';
import { createLog } from './log.ts';
import { createSessions } from './sessions.ts';
import { createTransfers, type Transfers } from './transfers.ts';

export interface CoordinatorProcess {
  /** Null while it is down or starts. */
  current(): Running | null;
  life(): Life | null;
  start(): void;
  /** As `kill -9`. */
  stop(): void;
  /** Its welcomes hide its epoch. */
  lies: boolean;
}

export interface Running {
  readonly life: Life;
  readonly coordinator: Coordinator;
  accept(session: Session): void;
  up(session: Session, message: ClientMessage): void;
  lost(session: Session): void;
  readonly epoch: number;
  readonly people: People;
  readonly partners: Partners;
  readonly transfers: Transfers;
}

function initialModel(parameters: number, seed: number): Uint8Array {
  const values = Float32Array.from({ length: parameters }, (_, i) => 1e-3 * Math.sin(i + seed));
  return encodeSafetensors({
    tensors: [{ name: 'dense/kernel', shape: [parameters], offset: 0, length: parameters }],
    values,
  });
}

export function createCoordinatorProcess(world: World, disk: Disk): CoordinatorProcess {
  let life: Life | null = null;
  let running: Running | null = null;
  const model = initialModel(world.parameters, world.seed);
  disk.blobs.set(sha256(model), model);

  return {
    lies: false,
    current: () => running,
    life: () => life,
    start() {
      const born: Life = { who: COORDINATOR, alive: true, pending: new Set() };
      life = born;
      running = null;
      boot(world, disk, born, sha256(model)).then(
        (up) => {
          if (!born.alive) return;
          running = up;
          world.trace('coordinator listens');
        },
        (error) => {
          if (!born.alive) return;
          // The service manager starts it again.
          world.trace(`coordinator does not start: ${asTributaryError(error).message}`);
          if (asTributaryError(error).code !== 'storage-failed')
            world.oracle.violation('start', String(error));
          world.timeline.after(1000, () => {
            if (!born.alive) return;
            this.stop();
            this.start();
          });
        },
      );
    },
    stop() {
      if (life) life.alive = false;
      running = null;
      life = null;
    },
  };
}

async function boot(world: World, disk: Disk, life: Life, model: string): Promise<Running> {
  const { ports, oracle, crypto, random, coordinator: identity } = world;
  const clock = createClock(world, life);
  const ondisk = openDisk(disk, life, ports, (commit) => oracle.committed(commit));
  const { store, blobs, spool } = ondisk;
  const log = createLog(life, oracle);
  const epoch = await store.epoch();
  const coordinator = createCoordinator({
    ...{ store, blobs, spool, identity, epoch, log, clock, random, crypto },
    aggregation: createAggregation(world, disk, life),
    engines: createEngines(),
    blobPath: (hash) => `blob/${hash}`,
    onModel: () => {},
  });
  const sessions = createSessions(world, life, store, coordinator, clock, log);
  coordinator.useSessions(sessions);
  const partners = createPartners({
    ...{ store, identity, random, now: clock.now },
    publicUrl: () => 'http://127.0.0.1:1',
    connected: sessions.has,
    async onRevoked(key, why) {
      sessions.close(key);
      await coordinator.revoked(key, why);
    },
  });
  sessions.usePartners(partners);
  await resumeAll({
    ...{ store, spool, crypto, identity, log, coordinator, clock },
    startUp: createStartUp(),
    collect: async () => [],
    isSound: async (hash) => disk.blobs.has(hash),
  });
  oracle.recovered([...coordinator.runs.values()].map(({ state }) => state));
  const models = { get: ondisk.readBlob };
  const people = createPeople({ store, models, epoch, coordinator, clock, random });
  if (disk.runs.size === 0) await people.start(world.plan, model, 'operator');
  return {
    ...{ life, coordinator, epoch, people, partners },
    accept: sessions.accept,
    up: sessions.up,
    lost: sessions.lost,
    transfers: createTransfers(sessions, ondisk, coordinator, oracle),
  };
}
