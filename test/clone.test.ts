/** A node's state folder that was copied, or put back from a backup, as the real coordinator sees it. */
import { createMemoryLedger, type LedgerStore } from '@tributary/client-sdk';
import type { Identity, Partner } from '@tributary/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createClients, type Started, type TestClients } from './support/clients.ts';
import { startTestCoordinator, type TestCoordinator } from './support/coordinator.ts';

let coordinator: TestCoordinator;
let clients: TestClients;
let identity: Identity;
beforeEach(async () => {
  coordinator = await startTestCoordinator();
  clients = createClients(coordinator);
  identity = await coordinator.enrol('clinic-a');
});
afterEach(async () => {
  await clients.close();
  await coordinator.close();
});

const start = (ledger: LedgerStore) => clients.start(identity, [identity], { ledger });

async function copyOf(ledger: LedgerStore): Promise<LedgerStore> {
  const copy = createMemoryLedger();
  for (const record of await ledger.load()) await copy.append(record);
  return copy;
}

async function clinic(): Promise<Partner> {
  const { body } = await coordinator.call('GET', '/v1/partners');
  return (body as Partner[])[0]!;
}

const ending = ({ events }: Started) =>
  events.find(([type]) => type === 'disconnected')?.[1] as { code: string } | undefined;

it('a node that starts again and again with its own ledger is no incident', async () => {
  const ledger = createMemoryLedger();
  for (let i = 0; i < 3; i++) {
    const { client } = await start(ledger);
    await client.close();
  }
  const last = await start(ledger);
  await expect.poll(clinic).toMatchObject({ connected: true, incident: null });
  expect(ending(last)).toBeUndefined();
});

it('an old backup of the state folder is refused, until the operator has asked', async () => {
  const ledger = createMemoryLedger();
  const backup = await copyOf(ledger);
  for (let i = 0; i < 2; i++) await (await start(ledger)).client.close();
  await expect.poll(clinic).toMatchObject({ connected: false, incident: null });

  const restored = await start(backup);
  await expect.poll(() => ending(restored)?.code).toBe('identity-cloned');
  expect((await clinic()).incident?.reason).toContain('an old backup');
  await expect.poll(clinic).toMatchObject({ connected: false });

  // A service manager starts it again and again, until it has more starts than what it is behind.
  for (let i = 0; i < 2; i++) {
    const restarted = await start(backup);
    await expect.poll(() => ending(restarted)?.code).toBe('identity-cloned');
  }
  const { body } = await coordinator.call('POST', '/v1/partners/clinic-a/resume');
  expect(body).toMatchObject({ incident: null });
  const again = await start(backup);
  await expect.poll(clinic).toMatchObject({ connected: true, incident: null });
  expect(ending(again)).toBeUndefined();
});

it('two nodes at the same time: the newer one takes the place, and the operator is told', async () => {
  const ledger = createMemoryLedger();
  const original = await start(ledger);
  await expect.poll(clinic).toMatchObject({ connected: true });
  await start(await copyOf(ledger));
  await expect.poll(() => ending(original)?.code).toBe('superseded');
  await expect.poll(async () => (await clinic()).incident?.reason).toContain('at the same time');
});
