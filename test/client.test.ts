/** FederatedClient against the real coordinator: own trainers, real sockets, real masks. */
import { createMemoryLedger, type LedgerStore, type Trainer } from '@tributary/client-sdk';
import { TributaryError } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createClients,
  distance,
  ended,
  type Started,
  stepTrainer,
  type TestClients,
} from './support/clients.ts';
import { PATIENT, startTestCoordinator, type TestCoordinator, testPlan } from './support/coordinator.ts';
import { startProxy } from './support/proxy.ts';

const ROUNDS = 3;
let coordinator: TestCoordinator;
let clients: TestClients;
beforeEach(async () => {
  coordinator = await startTestCoordinator();
  clients = createClients(coordinator);
});
afterEach(async () => {
  await clients.close();
  await coordinator.close();
});

describe('FederatedClient', () => {
  it.each([['secure'], ['plain']] as const)(
    '%s: rounds of one run end with the weighted mean, and every phase is told once',
    async (mode) => {
      const { started } = await clients.gather(4, () => ({
        policy: mode === 'plain' ? { aggregation: 'allow-plain' } : {},
      }));
      const evaluator = await clients.start(await coordinator.enrol('judge', 'evaluator'), [], {
        role: 'evaluator',
      });
      const plan = testPlan({
        aggregation: { mode, clip: 10, weightCap: 1000 },
        cohort: { min: 4 },
        rounds: ROUNDS,
        timing: PATIENT,
      });
      const { id } = await coordinator.startRun(plan);
      const run = await coordinator.until(id, ended);
      expect(run.status).toBe('done');
      expect(distance(await clients.publishedModel(id), [0, 1, 2, 3], ROUNDS)).toBeLessThan(1e-4);
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
      await expect.poll(() => events.some(([type]) => type === 'run-ended')).toBe(true);
      expect(events.map(([type]) => type).filter((type) => !untimed.has(type))).toEqual([
        ...['connected', 'proposal', 'consent'],
        ...Array(ROUNDS).fill(round).flat(),
      ]);
      expect(evaluator.events.filter(([type]) => type === 'evaluated').length).toBeGreaterThan(0);
      const kinds = (await ledger.load()).map(({ type }) => type);
      const perRound = ['announced', 'vector-sent', 'published'];
      expect(kinds).toEqual(['started', ...Array(ROUNDS).fill(perRound).flat()]);
    },
  );

  it('asks its owner, and joins once the owner approves', async () => {
    const { started } = await clients.gather(3, (index) => (index === 0 ? { undecided: true } : {}));
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
    const { identities, started } = await clients.gather(3, (index) =>
      index === 0 ? { strangers: true } : {},
    );
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
    const { started } = await clients.gather(3);
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
    const { started } = await clients.gather(4, (index) => (index === 0 ? { trainer: broken } : {}));
    const { id } = await coordinator.startRun(testPlan({ cohort: { min: 3 } }));
    const run = await coordinator.until(id, ended);
    expect(run.status).toBe('done');
    expect(started[0]!.events.find(([type]) => type === 'refused')?.[1]).toMatchObject({
      code: 'data-invalid',
      message: expect.stringContaining('J. Doe'),
    });
    const told = await clients.operatorSees(id);
    expect(told).toContain('data-invalid');
    expect(told).not.toContain('Doe');
  });

  it.each(['announced', 'roster', 'cohort', 'uploading', 'uploaded', 'survivors', 'unmasked'] as const)(
    'loses its connection at %s, comes back and gives the same answers',
    async (at) => {
      const proxy = await startProxy(coordinator.url);
      const { started } = await clients.gather(3, (index) => (index === 0 ? { url: proxy.url } : {}));
      started[0]!.client.on(at, () => proxy.cut());
      const { id } = await coordinator.startRun(testPlan({ timing: PATIENT }));
      const run = await coordinator.until(id, ended);
      expect(run.status).toBe('done');
      expect(run.history[0]).toMatchObject({ attempts: 1, dropped: [] });
      const engine = { name: 'test', speed: 'medium' };
      expect(Object.values(run.history[0]!.engines!)).toEqual(run.history[0]!.participants.map(() => engine));
      expect(distance(await clients.publishedModel(id), [0, 1, 2], 1)).toBeLessThan(1e-4);
      expect(started[0]!.events.filter(([type]) => type === 'uploading')).toHaveLength(1);
      expect(started[0]!.events.map(([type]) => type)).toContain('disconnected');
      await proxy.close();
    },
  );

  it('a node that restarts in the middle leaves the attempt and joins a later one', async () => {
    const ledger = createMemoryLedger();
    const { identities, started } = await clients.gather(4, (index) => (index === 0 ? { ledger } : {}));
    let back: Promise<Started> | undefined;
    started[0]!.client.on('roster', () => {
      void started[0]!.client.close();
      back = clients.start(identities[0]!, identities, { ledger, trainer: stepTrainer(0) });
    });
    const timing = { patience: 10, grace: 10, maximum: 20 };
    const { id } = await coordinator.startRun(testPlan({ cohort: { min: 4 }, rounds: 2, timing }));
    const run = await coordinator.until(id, ended);
    expect(run.status).toBe('done');
    expect(run.history[1]!.participants).toContain('partner-0');
    expect((await back!).events.map(([type]) => type)).toContain('unmasked');
  });

  it('a round that one partner leaves with its vector: certified as abandoned, everybody trains it again', async () => {
    const ledger = createMemoryLedger();
    // Three partners, t = 3: nobody may be missing.
    const { identities, started } = await clients.gather(3, (index) => (index === 0 ? { ledger } : {}));
    let back: Promise<Started> | undefined;
    started[0]!.client.on('uploading', () => {
      const { client } = started[0]!;
      const start = () => clients.start(identities[0]!, identities, { ledger, trainer: stepTrainer(0) });
      back = client.close().then(start);
    });
    const { id } = await coordinator.startRun(testPlan({ rounds: 2, timing: PATIENT }));
    const run = await coordinator.until(id, ended);
    expect(run.status).toBe('done');
    expect(run.history.map(({ attempts }) => attempts)).toEqual([2, 1]);
    expect(distance(await clients.publishedModel(id), [0, 1, 2], 2)).toBeLessThan(1e-4);
    await back;
    const records = await ledger.load();
    expect(records.map(({ type }) => type)).toEqual([
      ...['started', 'announced', 'vector-sent', 'refused', 'started'],
      ...['certified', 'announced', 'vector-sent', 'published', 'announced', 'vector-sent', 'published'],
    ]);
  });

  it('a disk that is full when the vector should be noted: nothing leaves, the others go on', async () => {
    const memory = createMemoryLedger();
    const full: LedgerStore = {
      ...memory,
      async append(record) {
        if (record.type === 'vector-sent') throw new TributaryError('storage-failed', 'ENOSPC');
        await memory.append(record);
      },
    };
    const { started } = await clients.gather(5, (index) => (index === 0 ? { ledger: full } : {}));
    const { id } = await coordinator.startRun(testPlan({ cohort: { min: 5 } }));
    const run = await coordinator.until(id, ended);
    expect(run.status).toBe('done');
    expect(run.history[0]!.participants).not.toContain('partner-0');
    const types = started[0]!.events.map(([type]) => type);
    expect(types).not.toContain('uploading');
    expect(started[0]!.events.find(([type]) => type === 'refused')?.[1]).toMatchObject({
      code: 'storage-failed',
    });
  });

  it.each([
    ['uniform', () => 1],
    ['bucketed', (index: number) => 2 ** Math.floor(Math.log2(400 + 100 * index))],
  ] as const)('%s weights: the published model is the mean by those weights', async (weights, weightOf) => {
    await clients.gather(4);
    const aggregation = { mode: 'secure', clip: 10, weightCap: 1000, weights };
    const { id } = await coordinator.startRun(testPlan({ aggregation, cohort: { min: 4 }, timing: PATIENT }));
    const run = await coordinator.until(id, ended);
    const members = [0, 1, 2, 3];
    expect(run.history[0]!.metrics.weight).toBe(members.reduce((sum, index) => sum + weightOf(index), 0));
    expect(distance(await clients.publishedModel(id), members, 1, weightOf)).toBeLessThan(1e-4);
  });

  it('a listener that throws holds up nobody and is told as a warning', async () => {
    const { started } = await clients.gather(3);
    started[0]!.client.on('announced', () => {
      throw new Error('a bug of the program around the client');
    });
    const { id } = await coordinator.startRun();
    expect((await coordinator.until(id, ended)).status).toBe('done');
    expect(started[0]!.events.find(([type]) => type === 'warning')?.[1]).toMatchObject({
      message: expect.stringContaining('A listener of announced failed'),
    });
  });
});
