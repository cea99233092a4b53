/** FederatedClients with trainers that move the model by known steps, at one test coordinator. */
import {
  type ClientEvents,
  createMemoryLedger,
  FederatedClient,
  type LedgerStore,
  parsePolicy,
  type Trainer,
} from '@tributary/client-sdk';
import {
  decodeSafetensors,
  type Identity,
  isOver,
  type ModelWeights,
  type RunStatus,
} from '@tributary/protocol';
import { PARAMETERS, type TestCoordinator } from './coordinator.ts';

/** Moves every weight towards a value of its own by a known step. */
export function stepTrainer(index: number): Trainer {
  return {
    engine: 'test',
    speed: 'medium',
    async train({ weights, onProgress }) {
      for (const done of [0, 0.25, 0.5, 1]) onProgress?.(done);
      const values = weights.values.map((value, i) => value + deltaOf(index, i));
      return {
        values,
        samples: samplesOf(index),
        loss: 0.5 + index,
        holdout: { count: 10, loss: 0.25, metrics: { accuracy: 0.5 } },
      };
    },
    async evaluate({ weights }) {
      return { count: 100, loss: mean(weights), metrics: { accuracy: 0.75 } };
    },
    async close() {},
  };
}
const deltaOf = (index: number, i: number): number => 0.01 * Math.sin(i * (index + 1));
const samplesOf = (index: number): number => 400 + 100 * index;
const mean = ({ values }: ModelWeights): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export interface Started {
  readonly client: FederatedClient;
  readonly events: [keyof ClientEvents, unknown][];
  readonly ledger: LedgerStore;
}

export interface StartOptions {
  readonly policy?: object;
  readonly trainer?: Trainer;
  readonly role?: 'partner' | 'evaluator';
  readonly ledger?: LedgerStore;
  readonly url?: string;
  /** The owner says nothing. */
  readonly undecided?: boolean;
  /** Nobody is accepted yet. */
  readonly strangers?: boolean;
}

const EVENTS = [
  'connected',
  'disconnected',
  'proposal',
  'consent',
  'refused',
  'announced',
  'progress',
  'roster',
  'cohort',
  'uploading',
  'uploaded',
  'survivors',
  'unmasked',
  'published',
  'abandoned',
  'evaluated',
  'run-ended',
  'warning',
] as const;

export const ended = (run: { status: RunStatus }) => isOver(run.status);

export interface TestClients {
  start(identity: Identity, members: readonly Identity[], options?: StartOptions): Promise<Started>;
  /** Enrols and starts `count` partners that accept each other. */
  gather(
    count: number,
    options?: (index: number) => StartOptions,
  ): Promise<{ identities: Identity[]; started: Started[] }>;
  publishedModel(run: string): Promise<Float32Array>;
  /** All that the operator can see of a run that is over. */
  operatorSees(run: string): Promise<string>;
  close(): Promise<void>;
}

export function createClients(coordinator: TestCoordinator): TestClients {
  const open: FederatedClient[] = [];

  async function start(
    identity: Identity,
    members: readonly Identity[],
    options: StartOptions = {},
  ): Promise<Started> {
    const { policy, trainer = stepTrainer(0), role = 'partner', ledger = createMemoryLedger() } = options;
    const client = new FederatedClient({
      coordinator: { url: options.url ?? coordinator.url, key: coordinator.app.identity.id },
      identity,
      policy: parsePolicy(role === 'partner' ? { plans: 'ask', minRoster: 3, ...policy } : {}, role),
      members: options.strangers ? [] : members.map(({ id }) => id),
      ...{ ledger, trainer },
      backoff: { minMs: 10, maxMs: 100 },
    });
    open.push(client);
    const events: Started['events'] = [];
    for (const type of EVENTS) client.on(type, (event) => events.push([type, event]));
    if (!options.undecided) client.on('proposal', ({ planHash }) => client.decide(planHash, 'approved'));
    await client.connect();
    return { client, events, ledger };
  }

  async function gather(count: number, options: (index: number) => StartOptions = () => ({})) {
    const identities: Identity[] = [];
    for (let i = 0; i < count; i++) identities.push(await coordinator.enrol(`partner-${i}`));
    const started: Started[] = [];
    for (const [i, identity] of identities.entries())
      started.push(await start(identity, identities, { trainer: stepTrainer(i), ...options(i) }));
    return { identities, started };
  }

  const headers = { authorization: `Bearer ${coordinator.app.adminToken}` };
  return {
    start,
    gather,
    async publishedModel(run) {
      const { model } = await coordinator.show(run);
      const response = await fetch(`${coordinator.url}/v1/blobs/${model}`, { headers });
      return decodeSafetensors(new Uint8Array(await response.arrayBuffer())).model.values;
    },
    async operatorSees(run) {
      const response = await fetch(`${coordinator.url}/v1/runs/${run}/events`, { headers });
      return (await response.text()) + JSON.stringify(await coordinator.show(run));
    },
    async close() {
      await Promise.all(open.map((client) => client.close()));
    },
  };
}

/** Relative L2 distance of a model from the weighted mean of what these members did in `rounds` rounds. */
export function distance(
  model: Float32Array,
  members: readonly number[],
  rounds: number,
  weightOf = samplesOf,
): number {
  const total = members.reduce((sum, index) => sum + weightOf(index), 0);
  let [error, norm] = [0, 0];
  for (let i = 0; i < PARAMETERS; i++) {
    const expected =
      rounds * members.reduce((sum, index) => sum + (weightOf(index) / total) * deltaOf(index, i), 0);
    error += (model[i]! - expected) ** 2;
    norm += expected ** 2;
  }
  return Math.sqrt(error / norm);
}
