/** Links that break, crawl or fall silent while a vector is on its way: the vector arrives, or the round goes on without. */
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeSafetensors } from '@tributary/protocol';
import { expect, it, type TestContext } from 'vitest';
import { createClients, distance, ended } from './support/clients.ts';
import { startTestCoordinator, testPlan } from './support/coordinator.ts';
import { type FaultProxy, startFaultProxy } from './support/faults.ts';
import { benchPlan, startFleet } from './support/fleet.ts';
import { startCoordinator } from './support/processes.ts';

type CleanUp = TestContext['onTestFinished'];

async function proxyTo(url: string, cleanUp: CleanUp): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ to: { host: '127.0.0.1', port: Number(new URL(url).port) } });
  cleanUp(proxy.close);
  return proxy;
}
const addressOf = ({ port }: FaultProxy) => `http://127.0.0.1:${port}`;
/** Waits until so many bytes more went up. */
async function passes(proxy: FaultProxy, bytes: number): Promise<void> {
  const goal = proxy.passed.up + bytes;
  while (proxy.passed.up < goal) await sleep(5);
}

it.concurrent('a vector whose link breaks and whose coordinator is killed goes on where it was: once in the sum', async ({
  onTestFinished: cleanUp,
}) => {
  const vector = 4 * 750_000;
  let proxy!: FaultProxy;
  const fleet = await startFleet({
    ...{ clients: 3, parameters: vector / 4, backoff: { minMs: 20, maxMs: 100 } },
    async through(url, client) {
      if (client !== 0) return url;
      proxy = await proxyTo(url, cleanUp);
      return addressOf(proxy);
    },
  });
  cleanUp(fleet.close);
  const uploading = new Promise<number>((resolve) => {
    fleet.clients[0]!.on('uploading', () => {
      proxy.set({ bytesPerSecond: 2_000_000 });
      resolve(proxy.passed.up);
    });
  });
  const { id } = await fleet.start(benchPlan(3, 'secure', 1));
  const before = await uploading;
  for (const fault of [proxy.reset, proxy.cut]) {
    await passes(proxy, 0.2 * vector);
    fault();
  }
  await passes(proxy, 0.2 * vector);
  await fleet.coordinator.stop('SIGKILL');
  const again = await startCoordinator(fleet.folder, Number(new URL(fleet.coordinator.url).port));
  cleanUp(() => again.stop());
  for await (const _ of fleet.api.events(id, 0));
  const run = await fleet.api.run(id);
  expect(run).toMatchObject({ status: 'done', round: 1 });
  expect(run.history[0]).toMatchObject({ attempts: 1, dropped: [] });
  const { model } = decodeSafetensors(await fleet.api.getBlob(run.model));
  expect(model.values[0]).toBeCloseTo(1e-3, 5);
  // What was on its way at each of three breaks comes twice, nothing else.
  expect((proxy.passed.up - before) / vector).toBeLessThan(1.5);
}, 60_000);

it.concurrent('a link of 40 kB/s is slow, not silent: beyond the patience its vector counts', async ({
  onTestFinished: cleanUp,
}) => {
  const coordinator = await startTestCoordinator();
  cleanUp(coordinator.close);
  const slow = await proxyTo(coordinator.url, cleanUp);
  const clients = createClients(coordinator);
  cleanUp(clients.close);
  const { started } = await clients.gather(3, (index) => (index === 0 ? { url: addressOf(slow) } : {}));
  started[0]!.client.on('uploading', () => slow.set({ bytesPerSecond: 40_000 }));
  // 280 kB take seven seconds. All three are needed.
  const timing = { patience: 5, grace: 0, maximum: 60 };
  const run = await coordinator.startRun(testPlan({ timing }));
  const { history } = await coordinator.until(run.id, ended);
  expect(history[0]?.participants).toHaveLength(3);
  expect(distance(await clients.publishedModel(run.id), [0, 1, 2], 1)).toBeLessThan(1e-4);
}, 60_000);

it.concurrent('a link that falls silent in the middle of a vector holds no round: it is published without', async ({
  onTestFinished: cleanUp,
}) => {
  const coordinator = await startTestCoordinator();
  cleanUp(coordinator.close);
  const bad = await proxyTo(coordinator.url, cleanUp);
  const clients = createClients(coordinator);
  cleanUp(clients.close);
  const { started } = await clients.gather(5, (index) => (index === 0 ? { url: addressOf(bad) } : {}));
  started[0]!.client.on('uploading', () => {
    bad.set({ bytesPerSecond: 300_000 });
    void passes(bad, 60_000).then(() => bad.set({ blackhole: true }));
  });
  const timing = { patience: 20, grace: 1, maximum: 40 };
  const run = await coordinator.startRun(testPlan({ timing, cohort: { min: 5 } }));
  const { history } = await coordinator.until(run.id, ended);
  expect(history[0]).toMatchObject({ attempts: 1, dropped: ['partner-0'] });
  expect(distance(await clients.publishedModel(run.id), [1, 2, 3, 4], 1)).toBeLessThan(1e-4);
}, 60_000);
