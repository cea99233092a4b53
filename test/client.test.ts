/** FederatedClient against the real coordinator: own trainers, real sockets, real masks. */
import {
  type ClientEvents,
  createMemoryLedger,
  FederatedClient,
  type LedgerStore,
  parsePolicy,
  type Trainer,
} from '@tributary/client-sdk';
import { decodeSafetensors, type Identity, type ModelWeights, TributaryError } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PARAMETERS, startTestCoordinator, type TestCoordinator, testPlan } from './support/coordinator.ts';
import { startProxy } from './support/proxy.ts';

let coordinator: TestCoordinator;
const open: FederatedClient[] = [];
beforeEach(async () => {
  coordinator = await startTestCoordinator();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
  await coordinator.close();
});

const ROUNDS = 3;

/** Moves every weight towards a value of its own by a known step. */
function stepTrainer(index: number): Trainer {
  return {
    engine: 'test',
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

interface Started {
  readonly client: FederatedClient;
  readonly events: [keyof ClientEvents, unknown][];
  readonly ledger: LedgerStore;
}

interface StartOptions {
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

async function gather(count: number, options: (index: number) => StartOptions = () => ({})) {
  const identities: Identity[] = [];
  for (let i = 0; i < count; i++) identities.push(await coordinator.enrol(`partner-${i}`));
  const started: Started[] = [];
  for (const [i, identity] of identities.entries())
    started.push(await start(identity, identities, { trainer: stepTrainer(i), ...options(i) }));
  return { identities, started };
}

const ended = (run: { status: string }) => run.status !== 'waiting' && run.status !== 'running';

async function publishedModel(run: string): Promise<Float32Array> {
  const { model } = await coordinator.show(run);
  const response = await fetch(`${coordinator.url}/v1/blobs/${model}`, {
    headers: { authorization: `Bearer ${coordinator.app.adminToken}` },
  });
  return decodeSafetensors(new Uint8Array(await response.arrayBuffer())).model.values;
}

/** All that the operator can see of a run that is over. */
async function eventsOf(run: string): Promise<string> {
  const response = await fetch(`${coordinator.url}/v1/runs/${run}/events`, {
    headers: { authorization: `Bearer ${coordinator.app.adminToken}` },
  });
  return (await response.text()) + JSON.stringify(await coordinator.show(run));
}

function distance(model: Float32Array, members: readonly number[], rounds: number): number {
  const total = members.reduce((sum, index) => sum + samplesOf(index), 0);
  let [error, norm] = [0, 0];
  for (let i = 0; i < PARAMETERS; i++) {
    const expected =
      rounds * members.reduce((sum, index) => sum + (samplesOf(index) / total) * deltaOf(index, i), 0);
    error += (model[i]! - expected) ** 2;
    norm += expected ** 2;
  }
  return Math.sqrt(error / norm);
}

describe('FederatedClient', () => {
  it.each([['secure'], ['plain']] as const)(
    '%s: rounds of one run end with the weighted mean, and every phase is told once',
    async (mode) => {
      const { started } = await gather(4, () => ({
        policy: mode === 'plain' ? { aggregation: 'allow-plain' } : {},
      }));
      const evaluator = await start(await coordinator.enrol('judge', 'evaluator'), [], { role: 'evaluator' });
      const plan = testPlan({
        aggregation: { mode, clip: 10, weightCap: 1000 },
        cohort: { min: 4 },
        rounds: ROUNDS,
      });
      const { id } = await coordinator.startRun(plan);
      const run = await coordinator.until(id, ended);
      expect(run.status).toBe('done');
      expect(distance(await publishedModel(id), [0, 1, 2, 3], ROUNDS)).toBeLessThan(1e-4);
      expect(run.history[0]!.metrics).toMatchObject({
        weight: 2200,
        clipped: 0,
        holdout: { count: 40, loss: 0.25 },
      });

      const round = [
        ...['announced', ...Array(4).fill('progress'), 'roster', 'cohort', 'uploading'],
        ...(mode === 'secure' ? ['uploaded', 'survivors', 'unmasked'] : []),
        'published',
      ];
      // Without U3 the publication may overtake the answer to the upload.
      const untimed = new Set(['run-ended', ...(mode === 'plain' ? ['uploaded'] : [])]);
      const { events, ledger } = started[0]!;
      await expect.poll(() => events.filter(([type]) => type === 'published').length).toBe(ROUNDS);
      expect(events.map(([type]) => type).filter((type) => !untimed.has(type))).toEqual([
        ...['connected', 'proposal', 'consent'],
        ...Array(ROUNDS).fill(round).flat(),
      ]);
      expect(evaluator.events.filter(([type]) => type === 'evaluated').length).toBeGreaterThan(0);
      const kinds = (await ledger.load()).map(({ type }) => type);
      expect(kinds).toEqual(Array(ROUNDS).fill(['announced', 'vector-sent', 'published']).flat());
    },
  );

  it('asks its owner, and joins once the owner approves', async () => {
    const { started } = await gather(3, (index) => (index === 0 ? { undecided: true } : {}));
    const { id } = await coordinator.startRun();
    await expect
      .poll(async () => (await coordinator.show(id)).consents[0])
      .toMatchObject({
        name: 'partner-0',
        answer: 'decline',
        code: 'approval-pending',
      });
    const [, proposal] = started[0]!.events.find(([type]) => type === 'proposal')!;
    started[0]!.client.decide((proposal as { planHash: string }).planHash, 'approved');
    expect((await coordinator.until(id, ended)).status).toBe('done');
  });

  it('refuses a roster with strangers, names them, and goes on once they are accepted', async () => {
    const { identities, started } = await gather(3, (index) => (index === 0 ? { strangers: true } : {}));
    const [first] = started;
    const { id } = await coordinator.startRun();
    await expect
      .poll(() => first!.events.find(([type]) => type === 'refused')?.[1])
      .toMatchObject({
        code: 'stranger-in-roster',
        message: expect.stringContaining(identities[1]!.id),
      });
    expect(first!.events.map(([type]) => type)).not.toContain('uploading');
    first!.client.accept(identities.map((identity) => identity.id));
    expect((await coordinator.until(id, ended)).status).toBe('done');
  });

  it('sits out a second run on the same base weights: two sums would tell the difference', async () => {
    const { started } = await gather(3);
    const first = await coordinator.startRun();
    await coordinator.until(first.id, ended);
    const second = await coordinator.startRun(testPlan({ name: 'again' }));
    await expect
      .poll(() => started[0]!.events.find(([type]) => type === 'refused')?.[1])
      .toMatchObject({
        run: second.id,
        code: 'sits-out',
      });
    expect(started[0]!.events.filter(([type]) => type === 'uploading')).toHaveLength(1);
  });

  it('a failure of training reaches its owner in full and the coordinator as a code only', async () => {
    const broken: Trainer = {
      ...stepTrainer(0),
      train: async () => {
        throw new TributaryError('data-invalid', 'patients.csv row 17: "J. Doe" is no number');
      },
    };
    const { started } = await gather(4, (index) => (index === 0 ? { trainer: broken } : {}));
    const { id } = await coordinator.startRun(testPlan({ cohort: { min: 3 } }));
    const run = await coordinator.until(id, ended);
    expect(run.status).toBe('done');
    expect(started[0]!.events.find(([type]) => type === 'refused')?.[1]).toMatchObject({
      code: 'data-invalid',
      message: expect.stringContaining('J. Doe'),
    });
    const told = await eventsOf(id);
    expect(told).toContain('data-invalid');
    expect(told).not.toContain('Doe');
  });

  it.each(['announced', 'roster', 'cohort', 'uploading', 'uploaded', 'survivors', 'unmasked'] as const)(
    'loses its connection at %s, comes back and gives the same answers',
    async (at) => {
      const proxy = await startProxy(coordinator.url);
      const { started } = await gather(3, (index) => (index === 0 ? { url: proxy.url } : {}));
      started[0]!.client.on(at, () => proxy.cut());
      const { id } = await coordinator.startRun(testPlan({ timing: { patience: 20, grace: 10 } }));
      const run = await coordinator.until(id, ended);
      expect(run.status).toBe('done');
      expect(run.history[0]).toMatchObject({ attempts: 1, dropped: [] });
      expect(distance(await publishedModel(id), [0, 1, 2], 1)).toBeLessThan(1e-4);
      expect(started[0]!.events.filter(([type]) => type === 'uploading')).toHaveLength(1);
      expect(started[0]!.events.map(([type]) => type)).toContain('disconnected');
      await proxy.close();
    },
  );

  it('a node that restarts in the middle leaves the attempt and joins the next one', async () => {
    const ledger = createMemoryLedger();
    const { identities, started } = await gather(4, (index) => (index === 0 ? { ledger } : {}));
    let back: Promise<Started> | undefined;
    started[0]!.client.on('roster', () => {
      void started[0]!.client.close();
      back = start(identities[0]!, identities, { ledger, trainer: stepTrainer(0) });
    });
    const { id } = await coordinator.startRun(testPlan({ cohort: { min: 4 } }));
    const run = await coordinator.until(id, ended);
    expect(run.status).toBe('done');
    expect(run.history[0]!.attempts).toBe(2);
    expect((await back!).events.map(([type]) => type)).toContain('unmasked');
  });
});
