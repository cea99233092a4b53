/** The coordinator as a process that can die: the real one, on ports that can; put together as `app.ts` does it. */
import { asTributaryError, type ClientMessage, encodeSafetensors, TributaryError } from '@tributary/protocol';
import {
  type Aggregation,
  type Coordinator,
  createCoordinator,
  createEngines,
  createPeople,
  createRunner,
  createStartUp,
  resumeAll,
} from '@tributary/server/parts';
import { createSessions, type Sessions } from './coordinator-sessions.ts';
import { type Disk, type DiskPorts, openDisk, sha256 } from './disk.ts';
import { COORDINATOR } from './faults.ts';
import { createLog } from './log.ts';
import type { Session } from './network.ts';
import type { Life } from './process.ts';
import { createClock, openSimulated } from './simulated.ts';
import type { World } from './world.ts';

export interface CoordinatorProcess {
  /** Null while it is down or starts. */
  current(): Running | null;
  life(): Life | null;
  start(): void;
  /** As `kill -9`. */
  stop(): void;
}

export interface Running {
  readonly life: Life;
  readonly coordinator: Coordinator;
  accept(session: Session): void;
  up(session: Session, message: ClientMessage): void;
  lost(session: Session): void;
  download(member: string, hash: string): Promise<Buffer>;
  /** @throws as the route for updates */
  upload(update: { attempt: string; member: string; sha256: string; bytes: Uint8Array }): Promise<void>;
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
  await resumeAll({
    ...{ store, spool, crypto, identity, log, coordinator, clock },
    startUp: createStartUp(),
    collect: async () => [],
    isSound: async (hash) => disk.blobs.has(hash),
  });
  oracle.recovered([...coordinator.runs.values()].map(({ state }) => state));
  if (disk.runs.size === 0) {
    const people = createPeople({
      store,
      models: { get: ondisk.readBlob },
      epoch,
      coordinator,
      clock,
      random,
    });
    await people.start(world.plan, model, 'operator');
  }
  return {
    life,
    coordinator,
    accept: sessions.accept,
    up: sessions.up,
    lost: sessions.lost,
    download: (member, hash) => download(sessions, ondisk, coordinator, member, hash),
    upload: (update) => upload(world, sessions, ondisk, coordinator, update),
  };
}

async function download(
  sessions: Sessions,
  ondisk: DiskPorts,
  coordinator: Coordinator,
  member: string,
  hash: string,
): Promise<Buffer> {
  requireSession(sessions, member);
  const bytes = await ondisk.readBlob(hash);
  coordinator.modelSent(hash, bytes.length);
  return bytes;
}

async function upload(
  world: World,
  sessions: Sessions,
  ondisk: DiskPorts,
  coordinator: Coordinator,
  { attempt, member, sha256, bytes }: Parameters<Running['upload']>[0],
): Promise<void> {
  requireSession(sessions, member);
  const expected = coordinator.expectUpdate(attempt, member);
  if (bytes.length !== expected.bytes)
    throw new TributaryError('malformed', 'The update has another length.');
  await ondisk.receive(attempt, member, bytes, sha256);
  await coordinator.updateReceived({ attempt, member, sha256, bytes: bytes.length });
  world.oracle.acknowledged(attempt, member, sha256);
}

function requireSession(sessions: Sessions, member: string): void {
  if (!sessions.has(member)) throw new TributaryError('unauthenticated', 'No session.');
}

function createAggregation(world: World, disk: Disk, life: Life): Aggregation {
  const run = createRunner(openSimulated(disk));
  const ask = (
    port: 'aggregation.fold' | 'aggregation.sum' | 'aggregation.discard',
    job: Parameters<typeof run>[0],
  ) =>
    world.ports.call(life, port, () => {
      try {
        return run(job);
      } catch (thrown) {
        const { code, message } = asTributaryError(thrown);
        throw new TributaryError(code, message, { cause: thrown });
      }
    });
  return {
    async fold(job) {
      await ask('aggregation.fold', { type: 'fold', ...job });
    },
    async sum(job) {
      const answer = await ask('aggregation.sum', { type: 'sum', ...job });
      if (!answer) throw new TributaryError('internal', 'No sum.');
      return answer;
    },
    async discard(attempt) {
      await ask('aggregation.discard', { type: 'discard', attempt });
    },
    async close() {},
  };
}
