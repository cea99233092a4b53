/** The coordinator is killed between rounds: run, model and history are there again, and the run goes on by itself. */
import { createApiClient, type Trainer } from '@tributary/client-sdk';
import { decodeSafetensors } from '@tributary/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { benchPlan, type Fleet, startFleet, trivial } from './support/fleet.ts';
import { type CoordinatorProcess, startCoordinator } from './support/processes.ts';

const ROUNDS = 6;
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
