/** Real FederatedClients in this process, with a trainer of the caller; the coordinator in a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ApiClient,
  createApiClient,
  createMemoryLedger,
  FederatedClient,
  type FederatedClientOptions,
  type LedgerStore,
  openFileLedger,
  parsePolicy,
  type Trainer,
} from '@tributary/client-sdk';
import {
  decodeInvite,
  encodeSafetensors,
  type Identity,
  identityFromSeed,
  type Plan,
  parsePlan,
  planHash,
  type RunDetail,
  type RunSummary,
  sign,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { makeKeyFile } from '@tributary/server';
import { type CoordinatorProcess, startCoordinator } from './processes.ts';

export interface Fleet {
  readonly folder: string;
  readonly coordinator: CoordinatorProcess;
  readonly clients: readonly FederatedClient[];
  readonly api: ApiClient;
  start(plan: Plan): Promise<RunSummary>;
  /** Runs the plan to its end. @throws when it fails */
  run(plan: Plan): Promise<RunDetail>;
  close(): Promise<void>;
}

export interface FleetOptions {
  /** Where the client finds the coordinator, when not at its own address. */
  readonly through?: (url: string, client: number) => string | Promise<string>;
  readonly clients: number;
  readonly parameters: number;
  readonly trainer?: Trainer;
  readonly backoff?: FederatedClientOptions['backoff'];
  /** Lengths of runs that the partners allow besides the usual ones. */
  readonly rounds?: readonly number[];
  /** Ledgers as files, as nodes have them; otherwise in memory. */
  readonly ledgers?: 'files';
  /** The coordinator's models and updates are encrypted on disk, under the key in `FOLDER.key`. */
  readonly encryptBlobs?: boolean;
  /** File for the coordinator's errors, where they are what is wanted. */
  readonly log?: string;
}

export function benchPlan(clients: number, mode: 'secure' | 'plain', rounds: number): Plan {
  return parsePlan({
    name: 'bench',
    model: { topology: { class_name: 'Sequential', config: { layers: [] } } },
    features: { kind: 'image', height: 1, width: 1, channels: 1, classes: ['a', 'b'] },
    training: { optimizer: { name: 'sgd', learningRate: 0.1 }, loss: 'sparseCategoricalCrossentropy' },
    aggregation: { mode, clip: 100, weightCap: 1000 },
    cohort: { min: clients },
    holdout: 0,
    rounds,
    // All of them share this machine's cores: nobody is to be taken for a straggler.
    timing: { patience: 300, grace: 120 },
  });
}

/** No training: what is left is the protocol. */
export const trivial: Trainer = {
  engine: 'none',
  speed: 'medium',
  async train({ weights }) {
    // A loop, as `map` calls a function for each weight: a twelfth of the round that is measured with it.
    const values = new Float32Array(weights.values.length);
    for (let i = 0; i < values.length; i++) values[i] = weights.values[i]! + 1e-3;
    return { values, samples: 100, loss: 1, holdout: { count: 0, loss: 0, metrics: {} } };
  },
  evaluate: async () => ({ count: 1, loss: 0, metrics: {} }),
  close: async () => {},
};

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const keyFile = `${folder}.key`;
  if (options.encryptBlobs) await makeKeyFile(keyFile);
  const more = options.encryptBlobs ? ['--encrypt-blobs', keyFile] : [];
  const coordinator = await startCoordinator(folder, 0, more, options.log);
  const { url, key } = coordinator;
  const api = createApiClient({ url, token: coordinator.adminToken! });
  const identities: Identity[] = [];
  for (let i = 0; i < options.clients; i++) identities.push(await enrolOne(`partner-${i}`));
  const members = identities.map((identity) => identity.id);
  const plans = (['secure', 'plain'] as const).flatMap((mode) =>
    [1, 2, 6, 8, 20, ...(options.rounds ?? [])].map((rounds) => ({
      plan: planHash(nodeCrypto, benchPlan(options.clients, mode, rounds)),
    })),
  );
  const policy = parsePolicy(
    { plans, aggregation: 'allow-plain', minRoster: 3, maxRounds: 10_000 },
    'partner',
  );
  const ledgers: LedgerStore[] = [];
  for (const { id } of identities)
    ledgers.push(options.ledgers ? await openFileLedger(join(folder, `${id}.ledger`)) : createMemoryLedger());
  const urls = await Promise.all(identities.map((_, index) => options.through?.(url, index) ?? url));
  const clients = identities.map((identity, index) => {
    const where = { url: urls[index]!, key };
    return new FederatedClient({
      coordinator: where,
      identity,
      policy,
      members,
      ledger: ledgers[index]!,
      trainer: options.trainer ?? trivial,
      ...(options.backoff ? { backoff: options.backoff } : {}),
    });
  });
  await Promise.all(clients.map((client) => client.connect()));
  let runs = 0;
  /** Each run from other weights: partners sit out where they sent a vector on the same ones. */
  async function start(plan: Plan): Promise<RunSummary> {
    const values = new Float32Array(options.parameters).fill(runs++);
    const tensor = { name: 'dense/kernel', shape: [values.length], offset: 0, length: values.length };
    return api.startRun({ plan, model: await api.putBlob(encodeSafetensors({ tensors: [tensor], values })) });
  }
  return {
    ...{ folder, coordinator, clients, api, start },
    async run(plan) {
      const { id } = await start(plan);
      // The stream ends with the run; unlike polling it costs the coordinator nothing that is measured.
      for await (const _ of api.events(id, 0));
      const run = await api.run(id);
      if (run.status !== 'done') throw new Error(`The run is ${run.status}: ${run.reason}`);
      return run;
    },
    async close() {
      for (const client of clients) await client.close();
      for (const ledger of ledgers) await ledger.close();
      await coordinator.stop();
      rmSync(folder, { recursive: true, force: true });
      rmSync(keyFile, { force: true });
    },
  };

  async function enrolOne(name: string): Promise<Identity> {
    const { secret } = decodeInvite((await api.invite({ name })).invite);
    const identity = identityFromSeed(nodeCrypto, nodeRandom(32));
    const signature = sign(nodeCrypto, identity, 'enrol', { coordinator: key, secret, key: identity.id });
    const body = JSON.stringify({ secret, key: identity.id, signature });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${url}/v1/enrol`, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(await response.text());
    return identity;
  }
}
