/** The coordinator is killed: run, model, history and the open attempt are there again, and the run goes on by itself. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ClientEvents, createApiClient, type Trainer } from '@tributary/client-sdk';
import { decodeSafetensors, type RunDetail } from '@tributary/protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { benchPlan, type Fleet, startFleet, trivial } from './support/fleet.ts';
import { type CoordinatorProcess, startCoordinator } from './support/processes.ts';

const ROUNDS = 6;
const backoff = { minMs: 20, maxMs: 200 };
let fleet: Fleet;
let again: CoordinatorProcess | undefined;
afterEach(async () => {
  await fleet.close();
  await again?.stop();
});

/** Slow enough that a kill at a publication finds the next round in training, with no vector under way. */
const slow: Trainer = {
  ...trivial,
  async train(task) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    return trivial.train(task);
  },
};

describe('SIGKILL of the coordinator between rounds', () => {
  it('loses nothing, and the run ends by itself with every round counted once', async () => {
    fleet = await startFleet({ clients: 3, parameters: 1000, trainer: slow });
    const { url, adminToken, key } = fleet.coordinator;
    const published = new Promise<void>((resolve) => {
      fleet.clients[0]!.on('published', ({ round }) => round === 3 && resolve());
    });
    const { id } = await fleet.start(benchPlan(3, 'secure', ROUNDS));
    await published;
    const before = await fleet.api.run(id);
    await fleet.coordinator.stop('SIGKILL');

    again = await startCoordinator(fleet.folder, Number(new URL(url).port));
    expect(again).toMatchObject({ key, adminToken: null });
    const api = createApiClient({ url, token: adminToken! });
    const after = await api.run(id);
    expect(after.history.slice(0, 3)).toEqual(before.history.slice(0, 3));
    for await (const _ of api.events(id, 0));
    const run = await api.run(id);
    expect(run).toMatchObject({ status: 'done', round: ROUNDS });
    expect(run.history.map((record) => record.round)).toEqual(
      Array.from({ length: ROUNDS }, (_, i) => i + 1),
    );
    // Each round adds 1e-3 to every parameter: a round lost or counted twice would show in the model.
    const { model } = decodeSafetensors(await api.getBlob(run.model));
    expect(model.values[0]).toBeCloseTo(ROUNDS * 1e-3, 4);
    expect(model.values[999]).toBeCloseTo(ROUNDS * 1e-3, 4);
  }, 90_000);
});

describe('SIGKILL of the coordinator inside a round', () => {
  /** A node's event at which the coordinator dies, one in each round; `advertise` ends before the first round starts. */
  const MOMENTS: readonly (keyof ClientEvents)[] = [
    'announced',
    'roster',
    'cohort',
    'uploading',
    'uploaded',
    'survivors',
    'unmasked',
    'published',
  ];

  it('in any phase: the same attempt goes on, and every update is counted once', async () => {
    fleet = await startFleet({ clients: 3, parameters: 1000, backoff });
    const { url, adminToken } = fleet.coordinator;
    const port = Number(new URL(url).port);
    let running: CoordinatorProcess = fleet.coordinator;
    const killed: string[] = [];
    let round = 1;
    for (const moment of new Set(MOMENTS))
      fleet.clients[0]!.on(moment, () => {
        if (MOMENTS[round - 1] !== moment) return;
        round += 1;
        killed.push(moment);
        restarting = restarting.then(async () => {
          await running.stop('SIGKILL');
          running = await startCoordinator(fleet.folder, port);
          again = running;
        });
      });
    let restarting: Promise<void> = Promise.resolve();
    const { id } = await fleet.start(benchPlan(3, 'secure', MOMENTS.length));
    const api = createApiClient({ url, token: adminToken! });
    const run = await vi.waitFor(
      async () => {
        const found = await api.run(id);
        if (found.status === 'running' || found.status === 'waiting') throw new Error(`round ${found.round}`);
        return found;
      },
      { timeout: 90_000, interval: 100 },
    );
    await restarting;
    expect(killed).toEqual(MOMENTS);
    expect(run).toMatchObject({ status: 'done', round: MOMENTS.length });
    expect(run.history.map(({ attempts, dropped }) => ({ attempts, dropped }))).toEqual(
      MOMENTS.map(() => ({ attempts: 1, dropped: [] })),
    );
    const { model } = decodeSafetensors(await api.getBlob(run.model));
    expect(model.values[0]).toBeCloseTo(MOMENTS.length * 1e-3, 4);
    expect(model.values[999]).toBeCloseTo(MOMENTS.length * 1e-3, 4);
  }, 120_000);

  it('while it is paused: it stays so until it is resumed, and the attempt that was open is published', async () => {
    fleet = await startFleet({ clients: 3, parameters: 1000, backoff });
    const { url, adminToken } = fleet.coordinator;
    const api = createApiClient({ url, token: adminToken! });
    const until = (id: string, ready: (run: RunDetail) => boolean) =>
      vi.waitFor(
        async () => {
          const found = await api.run(id);
          if (!ready(found)) throw new Error(`${found.status}, round ${found.round}`);
          return found;
        },
        { timeout: 20_000, interval: 50 },
      );
    const announced = new Promise<void>((resolve) => {
      fleet.clients[0]!.on('announced', () => resolve());
    });
    const { id } = await fleet.start(benchPlan(3, 'secure', 2));
    await announced;
    expect(await api.pauseRun(id)).toMatchObject({ status: 'paused', round: 0 });
    await until(id, ({ round }) => round === 1);
    await fleet.coordinator.stop('SIGKILL');
    again = await startCoordinator(fleet.folder, Number(new URL(url).port));
    const waiting = await until(id, ({ current }) => current!.phase.includes('paused'));
    expect(waiting).toMatchObject({ status: 'paused', round: 1, current: { partners: [] } });
    await api.resumeRun(id);
    expect(await until(id, ({ status }) => status === 'done')).toMatchObject({ round: 2 });
  }, 60_000);

  it('with an update that the disk has lost meanwhile: the attempt is void with its reason, the others are not wronged', async () => {
    fleet = await startFleet({ clients: 4, parameters: 1000, backoff });
    const { url, adminToken } = fleet.coordinator;
    const dead = new Promise<void>((resolve) => {
      let uploads = 0;
      for (const client of fleet.clients)
        client.on('uploaded', () => {
          if (++uploads === 1) fleet.coordinator.stop('SIGKILL').then(resolve);
        });
    });
    const { id } = await fleet.start(benchPlan(4, 'secure', 1));
    await dead;
    rmSync(join(fleet.folder, 'spool'), { recursive: true });
    again = await startCoordinator(fleet.folder, Number(new URL(url).port));
    const api = createApiClient({ url, token: adminToken! });
    for await (const { kind, data } of api.events(id, 0)) {
      if (kind !== 'abandoned') continue;
      expect(data).toMatchObject({ code: 'storage-failed' });
      expect(data.reason).toMatch(/the update of partner-\d.* is missing or damaged on disk/);
      break;
    }
    expect((await api.run(id)).status).not.toBe('failed');
    await api.cancelRun(id);
    const over = { code: 'wrong-phase', remedy: expect.stringContaining(`models pull ${id}`) };
    await expect(api.resumeRun(id)).rejects.toMatchObject(over);
    await expect(api.cancelRun(id)).rejects.toMatchObject(over);
  }, 60_000);
});
