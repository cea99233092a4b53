/** One coordinator, partners that speak the protocol by hand: what is published is the sum of what was sent. */
import { decodeSafetensors, type Identity, type Plan } from '@tributary/protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  PARAMETERS,
  PATIENT,
  startTestCoordinator,
  type TestCoordinator,
  testPlan,
} from './support/coordinator.ts';
import {
  type Contribution,
  type Interfere,
  openSession,
  type RawSession,
  takePart,
} from './support/raw-partner.ts';

let coordinator: TestCoordinator;
beforeEach(async () => {
  coordinator = await startTestCoordinator();
});
afterEach(() => coordinator.close());

const contribution = (index: number): Contribution => ({
  delta: Float32Array.from({ length: PARAMETERS }, (_, i) => 0.01 * Math.sin(i * (index + 1))),
  weight: 500 + 50 * index,
  scalars: [1.25 * (500 + 50 * index), 0, 40, 20, 30],
});

async function gather(
  members: number,
  interfere: (index: number) => Interfere | undefined = () => undefined,
) {
  const identities: Identity[] = [];
  for (let i = 0; i < members; i++) identities.push(await coordinator.enrol(`partner-${i}`));
  const pinned = new Set(identities.map((identity) => identity.id));
  const key = coordinator.app.identity.id;
  const sessions: RawSession[] = [];
  for (const [index, identity] of identities.entries()) {
    const session = await openSession(coordinator.url, identity, key);
    takePart(session, identity, key, pinned, contribution(index), interfere(index));
    sessions.push(session);
  }
  return { identities, sessions };
}

async function publishedModel(run: string): Promise<Float32Array> {
  const { model } = await coordinator.show(run);
  const response = await fetch(`${coordinator.url}/v1/blobs/${model}`, {
    headers: { authorization: `Bearer ${coordinator.app.adminToken}` },
  });
  return decodeSafetensors(new Uint8Array(await response.arrayBuffer())).model.values;
}

/** Relative L2 distance of the published model from the weighted mean of the contributions. */
function distance(model: Float32Array, members: readonly number[]): number {
  const given = members.map(contribution);
  const total = given.reduce((sum, { weight }) => sum + weight, 0);
  let [error, norm] = [0, 0];
  for (let i = 0; i < PARAMETERS; i++) {
    const mean = given.reduce((sum, { delta, weight }) => sum + (weight / total) * delta[i]!, 0);
    error += (model[i]! - mean) ** 2;
    norm += mean ** 2;
  }
  return Math.sqrt(error / norm);
}

const ended = (run: { status: string }) => run.status !== 'waiting' && run.status !== 'running';

describe('a secure round over real sockets', () => {
  it.each([['secure'], ['plain']] as const)(
    '%s: publishes the weighted mean, exact within quantisation',
    async (mode) => {
      await gather(5);
      const plan: Plan = testPlan({
        aggregation: { mode, clip: 10, weightCap: 1000 },
        cohort: { min: 5 },
        timing: PATIENT,
      });
      const { id } = await coordinator.startRun(plan);
      const run = await coordinator.until(id, ended);
      expect(run).toMatchObject({ status: 'done', round: 1 });
      expect(distance(await publishedModel(id), [0, 1, 2, 3, 4])).toBeLessThan(1e-4);
      expect(run.history[0]!.metrics).toEqual({
        weight: 3000,
        trainingLoss: 1.25,
        clipped: 0,
        holdout: { count: 200, loss: 0.5, metrics: { accuracy: 0.75 } },
      });
    },
  );

  it.each(['advert', 'shares', 'upload', 'agree', 'unmask'] as const)(
    'is survived when a partner disconnects before its %s',
    async (at) => {
      const { sessions } = await gather(5, (index) =>
        index === 3
          ? (message) => {
              if (message.type !== at) return message;
              sessions[3]!.socket.terminate();
              return null;
            }
          : undefined,
      );
      if (at === 'upload')
        sessions[3]!.put = async () => {
          sessions[3]!.socket.terminate();
          return 0;
        };
      const { id } = await coordinator.startRun(testPlan({ cohort: { min: 4 } }));
      const run = await coordinator.until(id, ended);
      expect(run.status).toBe('done');
      const vectorIsIn = at === 'agree' || at === 'unmask';
      const members = vectorIsIn ? [0, 1, 2, 3, 4] : [0, 1, 2, 4];
      expect(run.history[0]!.participants.sort()).toEqual(members.map((i) => `partner-${i}`));
      expect(distance(await publishedModel(id), members)).toBeLessThan(1e-4);
    },
  );

  it('waits in words, and starts by itself when a late joiner makes the cohort whole', async () => {
    await gather(2);
    const { id } = await coordinator.startRun();
    const waiting = await coordinator.until(id, (run) => run.current?.phase.includes('2 of 3') ?? false);
    expect(waiting.status).toBe('waiting');
  });

  it('the last partner leaves: the run waits, and goes on by itself when partners come back', async () => {
    let silent = true;
    const { identities, sessions } = await gather(
      3,
      (index) => (message) => (silent && index === 0 && message.type === 'shares' ? null : message),
    );
    const { id } = await coordinator.startRun(testPlan({ timing: { patience: 1, grace: 0, maximum: 5 } }));
    await coordinator.until(id, (run) => run.current?.phase === 'share');
    for (const session of sessions) session.socket.terminate();
    const waiting = await coordinator.until(id, (run) => run.current?.phase.startsWith('waiting') ?? false);
    expect(waiting).toMatchObject({ status: 'running', round: 0, history: [] });
    silent = false;
    const key = coordinator.app.identity.id;
    const pinned = new Set(identities.map((identity) => identity.id));
    for (const [index, identity] of identities.entries())
      takePart(await openSession(coordinator.url, identity, key), identity, key, pinned, contribution(index));
    const run = await coordinator.until(id, ended);
    expect(run).toMatchObject({ status: 'done', history: [{ attempts: 2 }] });
    expect(distance(await publishedModel(id), [0, 1, 2])).toBeLessThan(1e-4);
  });
});
