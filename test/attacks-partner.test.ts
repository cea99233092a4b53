/** An enrolled partner that means harm, against a real coordinator: others must not wait, and memory and disk must not fill. */
import {
  type ClientMessage,
  hashStatement,
  type Identity,
  type ServerMessage,
  type ServerMessageOf,
} from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCoordinator, type TestCoordinator, testPlan } from './support/coordinator.ts';
import { openSession, type RawSession } from './support/raw-partner.ts';

let coordinator: TestCoordinator;
const identities: Identity[] = [];
const sessions: RawSession[] = [];
beforeAll(async () => {
  coordinator = await startTestCoordinator();
  for (const name of ['ann', 'bob', 'cem', 'mallory']) identities.push(await coordinator.enrol(name));
  for (const identity of identities)
    sessions.push(await openSession(coordinator.url, identity, coordinator.app.identity.id));
});
afterAll(async () => {
  expect((await fetch(`${coordinator.url}/readyz`)).status).toBe(200);
  await coordinator.close();
});

describe('a phase that nobody answers closes after its patience', () => {
  const timing = { patience: 1, grace: 0, maximum: 20 };
  it.each([
    [
      'consents and declines in turn',
      (run: string, plan: string, _: string, i: number): ClientMessage =>
        i % 2 === 0
          ? { type: 'consent', run, plan }
          : { type: 'decline', run, plan, code: 'policy-refused', reason: `${i}` },
    ],
    [
      'reports progress in an attempt that it is not in',
      (_run: string, _plan: string, attempt: string, i: number): ClientMessage => ({
        ...{ type: 'progress', attempt, twentieths: Math.min(i, 20) },
      }),
    ],
  ])('although a partner %s', async (_, messageFor) => {
    const { id, plan } = await coordinator.startRun(testPlan({ timing }));
    const invited = sessions.slice(0, 3);
    for (const session of invited) session.send({ type: 'consent', run: id, plan });
    const { announcement } = await until(invited[0]!, 'announce', ({ announcement: { run } }) => run === id);
    const mallory = sessions[3]!;
    const attempt = hashStatement(nodeCrypto, 'announcement', announcement);
    let sent = 0;
    const flood = setInterval(() => mallory.send(messageFor(id, plan, attempt, sent++)), 200);
    const start = Date.now();
    await until(invited[0]!, 'abandoned', (message) => message.attempt === attempt);
    clearInterval(flood);
    expect(Date.now() - start).toBeLessThan(3000);
    await coordinator.call('POST', `/v1/runs/${id}/cancel`);
  });
});

it('an evaluator reports the metrics of the plan, once: it can neither fill the database nor rewrite history', async () => {
  const { id } = await coordinator.startRun();
  const judge = await coordinator.enrol('judge', 'evaluator');
  const session = await openSession(coordinator.url, judge, coordinator.app.identity.id);
  const { round, model } = await session.next('evaluate');
  const report = { type: 'evaluation', run: id, round, model, count: 10, loss: 1 };
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`metric ${i}`, i]));
  session.send({ ...report, metrics: many });
  expect(await session.next('refused')).toMatchObject({ of: 'evaluation', code: 'malformed' });
  for (const loss of [1, 1, 2]) session.send({ ...report, loss, metrics: { accuracy: 0.5 } });
  expect(await session.next('refused')).toMatchObject({ of: 'evaluation', code: 'conflict' });
  expect((await coordinator.show(id)).initialEvaluations).toEqual([
    { evaluator: 'judge', count: 10, loss: 1, metrics: { accuracy: 0.5 } },
  ]);
  session.socket.terminate();
  await coordinator.call('POST', `/v1/runs/${id}/cancel`);
});

it('a partner that is suspended in an attempt is out of it at once, uploads nothing, and the others go on', async () => {
  const { id, plan } = await coordinator.startRun(testPlan({ cohort: { min: 3 } }));
  for (const session of sessions) session.send({ type: 'consent', run: id, plan });
  const { announcement } = await until(sessions[0]!, 'announce', ({ announcement: { run } }) => run === id);
  const attempt = hashStatement(nodeCrypto, 'announcement', announcement);
  const mallory = sessions[3]!;
  expect((await coordinator.call('POST', '/v1/partners/mallory/suspend')).status).toBe(200);
  expect(await mallory.closed).toMatchObject({ code: 4403 });
  expect(await mallory.put(`/v1/updates/${attempt}`, new Uint8Array(10))).toBe(401);
  await expect(
    openSession(coordinator.url, identities[3]!, coordinator.app.identity.id),
  ).rejects.toMatchObject({ code: 4403 });
  const { current, consents } = await coordinator.show(id);
  expect(current?.partners.filter(({ state }) => state !== 'left')).toHaveLength(3);
  expect(consents.find(({ name }) => name === 'mallory')?.answer ?? 'none').toBe('none');
  expect((await coordinator.call('DELETE', '/v1/partners/mallory')).status).toBe(204);
  await coordinator.call('POST', `/v1/runs/${id}/cancel`);
});

/** The next message of that type that is meant; others, of attempts before, are passed over. */
async function until<T extends ServerMessage['type']>(
  session: RawSession,
  type: T,
  meant: (message: ServerMessageOf<T>) => boolean,
): Promise<ServerMessageOf<T>> {
  for (;;) {
    const message = (await session.next(type)) as ServerMessageOf<T>;
    if (meant(message)) return message;
  }
}
