/** Honest clients that must not notice anything: real ones, that train without end while the fuzzer is at work. */
import { type ApiClient, createMemoryLedger, FederatedClient, parsePolicy } from '@tributary/client-sdk';
import { encodeSafetensors, type Identity, planHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { benchPlan, trivial } from '../support/fleet.ts';

const CLIENTS = 3;
/** Rounds come so fast that they would take the cores of the fuzzer: milliseconds of training. */
const TRAINING_MS = 150;

export interface Control {
  rounds(): number;
  /** The newest attempt of theirs. */
  attempt(): string;
  faults(): readonly string[];
  /** Resolves when one more round is published. @throws after `ms` */
  another(ms: number): Promise<void>;
  close(): Promise<void>;
}

export async function startControl(
  api: ApiClient,
  coordinator: { url: string; key: string },
  enrol: (name: string) => Promise<Identity>,
): Promise<Control> {
  const identities: Identity[] = [];
  for (let i = 0; i < CLIENTS; i++) identities.push(await enrol(`honest-${i}`));
  // Partners in the fuzzer's hands are connected and do not answer the proposal: each attempt waits for them so long.
  const timing = { patience: 30, grace: 0.3, maximum: 120 };
  const plan = { ...benchPlan(CLIENTS, 'secure', 10_000), timing };
  const policy = parsePolicy(
    { plans: [{ plan: planHash(nodeCrypto, plan) }], minRoster: 3, maxRounds: 10_000 },
    'partner',
  );
  const faults: string[] = [];
  let rounds = 0;
  let attempt = '0'.repeat(64);
  let closing = false;
  const trainer = {
    ...trivial,
    async train(task: Parameters<typeof trivial.train>[0]) {
      await new Promise((resolve) => setTimeout(resolve, TRAINING_MS));
      return trivial.train(task);
    },
  };
  const clients = identities.map((identity) => {
    const members = identities.map(({ id }) => id);
    const client = new FederatedClient({
      coordinator,
      identity,
      policy,
      members,
      trainer,
      ledger: createMemoryLedger(),
    });
    client.on('disconnected', ({ code, message }) => {
      if (!closing) faults.push(`an honest client was disconnected: ${code} ${message}`);
    });
    client.on('abandoned', ({ code, reason }) => {
      if (!closing) faults.push(`an honest attempt was abandoned: ${code} ${reason}`);
    });
    client.on('warning', ({ code, message }) => {
      if (code === 'internal' || code === 'rate-limited')
        faults.push(`an honest client warns: ${code} ${message}`);
    });
    return client;
  });
  clients[0]!.on('published', () => rounds++);
  clients[0]!.on('announced', ({ id }) => {
    attempt = id;
  });
  await Promise.all(clients.map((client) => client.connect()));
  const values = new Float32Array(500);
  const tensor = { name: 'a/kernel', shape: [500], offset: 0, length: 500 };
  await api.startRun({ plan, model: await api.putBlob(encodeSafetensors({ tensors: [tensor], values })) });
  return {
    rounds: () => rounds,
    attempt: () => attempt,
    faults: () => faults,
    async another(ms) {
      const before = rounds;
      for (const end = Date.now() + ms; rounds <= before; await new Promise((next) => setTimeout(next, 20)))
        if (Date.now() > end) throw new Error(`The honest clients published nothing for ${ms} ms.`);
    },
    async close() {
      closing = true;
      for (const client of clients) await client.close();
    },
  };
}
