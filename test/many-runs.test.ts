/** A coordinator that has ended many runs keeps their history, and only the newest of them in memory. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestCoordinator, type TestCoordinator } from './support/coordinator.ts';

const RUNS = 40;

let coordinator: TestCoordinator;
beforeAll(async () => {
  coordinator = await startTestCoordinator();
});
afterAll(() => coordinator.close());

/** Kinds of all events of a run that is over. */
async function eventsOf(run: string): Promise<string[]> {
  const response = await fetch(`${coordinator.url}/v1/runs/${run}/events?after=0`, {
    headers: { authorization: `Bearer ${coordinator.app.adminToken}` },
  });
  return [...(await response.text()).matchAll(/"kind":"(\w+)"/g)].map(([, kind]) => kind!);
}

it('tells of all that are over, with single events of the newest', async () => {
  const runs: string[] = [];
  for (let i = 0; i < RUNS; i++) {
    const { id } = await coordinator.startRun();
    runs.push(id);
    await coordinator.call('POST', `/v1/runs/${id}/cancel`);
  }
  const [first, last] = [runs[0]!, runs.at(-1)!];
  expect(await coordinator.show(first)).toMatchObject({ status: 'cancelled', current: null });
  expect(await coordinator.show(last)).toMatchObject({ status: 'cancelled', current: {} });
  expect(await eventsOf(first)).toEqual(['ended']);
  expect(await eventsOf(last)).toEqual(expect.arrayContaining(['started', 'ended']));
});
