/** A node by its folder: invite, key, node.yaml, approvals and members written by another process while it runs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  acceptMember,
  approve,
  type ClientEvents,
  enrol,
  listMembers,
  listPending,
  loadEnrolment,
  loadIdentity,
  loadNodeConfig,
  moveCoordinator,
  type RunningNode,
  startNode,
  type Trainer,
} from '@tributary/client-sdk';
import { decodeInvite, encodeInvite } from '@tributary/protocol';
import { createApp, createLog } from '@tributary/server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestCoordinator, type TestCoordinator, testPlan } from './support/coordinator.ts';

const PASSPHRASE = 'correct horse battery staple';
let coordinator: TestCoordinator;
let root: string;
const nodes: RunningNode[] = [];
beforeEach(async () => {
  coordinator = await startTestCoordinator();
  root = mkdtempSync(join(tmpdir(), 'tributary-node-'));
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close()));
  await coordinator.close();
  rmSync(root, { recursive: true });
});

async function invite(name: string): Promise<string> {
  const { body } = await coordinator.call('POST', '/v1/partners/invites', { name });
  return (body as { invite: string }).invite;
}

const stateOf = (name: string) => join(root, name, 'state');

async function init(name: string): Promise<void> {
  await enrol({ invite: await invite(name), folder: stateOf(name), passphrase: PASSPHRASE });
  const policy = 'policy:\n  plans: ask\n  minRoster: 3\n';
  writeFileSync(
    join(root, name, 'node.yaml'),
    `name: ${name}\nstate: ./state\ndata: { kind: csv, path: rows.csv }\n${policy}`,
  );
}

const trainer: Trainer = {
  engine: 'own',
  speed: 'medium',
  train: async ({ weights }) => ({
    values: weights.values.map((value, i) => value + (i % 2) * 0.01),
    samples: 100,
    loss: 1,
    holdout: { count: 10, loss: 1, metrics: { accuracy: 0.5 } },
  }),
  evaluate: async () => ({ count: 1, loss: 1, metrics: { accuracy: 1 } }),
  close: async () => {},
};

async function start(name: string): Promise<{ node: RunningNode; refused: ClientEvents['refused'][] }> {
  const refused: ClientEvents['refused'][] = [];
  const node = await startNode({
    ...{ config: await loadNodeConfig(join(root, name, 'node.yaml')), passphrase: PASSPHRASE, trainer },
    prepare: (client) => client.on('refused', (event) => refused.push(event)),
  });
  nodes.push(node);
  await node.connected;
  return { node, refused };
}

async function acceptAll(name: string): Promise<void> {
  const identity = await loadIdentity(stateOf(name), PASSPHRASE);
  for (const member of await listMembers({ folder: stateOf(name), identity }))
    if (member.status === 'stranger') await acceptMember(stateOf(name), member.name, { key: member.key });
}

describe('nodes by hand', () => {
  it('invite, accept, ask, approve while running: the round is done, and an idle restart goes on', async () => {
    const names = ['ada', 'bob', 'eve'];
    for (const name of names) await init(name);
    for (const name of names.slice(1)) await acceptAll(name);
    const started = await Promise.all(names.map(start));
    expect(started[0]!.node.remarks).toEqual([
      'minRoster 3: with three partners no drop-out is survived, and two partners together know the third.',
    ]);
    const { id } = await coordinator.startRun(testPlan({ rounds: 2 }));
    for (const name of names) {
      await expect.poll(async () => (await listPending(stateOf(name))).length).toBe(1);
      const [pending] = await listPending(stateOf(name));
      expect(pending).toMatchObject({ run: id, body: { name: 'test' } });
      await approve(stateOf(name), pending!.plan);
    }
    // Ada has accepted nobody: her node names the others and takes no part.
    await expect
      .poll(() => started[0]!.refused[0], { timeout: 10_000 })
      .toMatchObject({ code: 'stranger-in-roster' });
    await acceptAll('ada');
    const run = await coordinator.until(id, ({ status }) => status === 'done' || status === 'failed');
    expect(run).toMatchObject({ status: 'done', round: 2 });
    const ledger = readFileSync(join(stateOf('ada'), 'ledger'), 'utf8');
    expect(ledger.match(/"type":"vector-sent"/g)).toHaveLength(2);

    await started[0]!.node.close();
    await start('ada');
  });

  it('two processes on one state folder: the second is refused', async () => {
    await init('ada');
    await start('ada');
    await expect(start('ada')).rejects.toMatchObject({ code: 'already-running' });
  });

  it('a wrong passphrase, before anything is opened or sent', async () => {
    await init('ada');
    const config = await loadNodeConfig(join(root, 'ada', 'node.yaml'));
    await expect(startNode({ config, passphrase: 'wrong passphrase', trainer })).rejects.toMatchObject({
      code: 'forbidden',
    });
    // The folder is free again.
    await start('ada');
  });
});

describe('another address', () => {
  it('a coordinator that has moved is found there, under its pinned key only', async () => {
    await init('ada');
    await coordinator.app.close();
    const { folder } = coordinator;
    const moved = await createApp({ folder, log: createLog('silent') });
    const stranger = await startTestCoordinator();
    try {
      const { url } = await moved.listen({ host: '127.0.0.1', port: 0 });
      const move = (to: string) => moveCoordinator({ folder: stateOf('ada'), url: to });
      await expect(move(stranger.url)).rejects.toMatchObject({ code: 'wrong-coordinator' });
      await expect(move('http://fl.example.org')).rejects.toMatchObject({ code: 'policy-refused' });
      await expect(move('fl.example.org')).rejects.toMatchObject({ code: 'malformed' });
      expect(await loadEnrolment(stateOf('ada'))).toMatchObject({ url: coordinator.url });
      expect(await move(`${url}/`)).toMatchObject({ url, key: moved.identity.id, name: 'ada' });
      await start('ada');
    } finally {
      await Promise.all(nodes.splice(0).map((node) => node.close()));
      await stranger.close();
      await moved.close();
    }
  });
});

describe('enrolling', () => {
  it('an invite works once, and a folder belongs to one coordinator', async () => {
    const line = await invite('ada');
    const enrolled = await enrol({ invite: line, folder: stateOf('ada'), passphrase: PASSPHRASE });
    expect(enrolled.enrolment).toMatchObject({
      name: 'ada',
      role: 'partner',
      key: coordinator.app.identity.id,
    });
    await expect(
      enrol({ invite: line, folder: stateOf('other'), passphrase: PASSPHRASE }),
    ).rejects.toMatchObject({ code: 'invite-invalid' });
    await expect(
      enrol({ invite: await invite('bob'), folder: stateOf('ada'), passphrase: PASSPHRASE }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  it('can be tried again when the answer of the coordinator got lost', async () => {
    const line = await invite('ada');
    const { identity } = await enrol({ invite: line, folder: stateOf('ada'), passphrase: PASSPHRASE });
    rmSync(join(stateOf('ada'), 'coordinator.json'));
    const again = await enrol({ invite: line, folder: stateOf('ada'), passphrase: PASSPHRASE });
    expect(again.identity.id).toBe(identity.id);
    await expect(
      enrol({ invite: line, folder: stateOf('thief'), passphrase: PASSPHRASE }),
    ).rejects.toMatchObject({ code: 'invite-invalid' });
  });

  it('an expired or altered invite, or one to plain HTTP elsewhere, is refused before a key is made', async () => {
    const good = decodeInvite(await invite('ada'));
    const tries: [string, string][] = [
      [encodeInvite({ ...good, expires: 1 }), 'invite-invalid'],
      [encodeInvite(good).slice(0, -5), 'invite-invalid'],
      [encodeInvite({ ...good, url: 'http://coordinator.example' }), 'policy-refused'],
    ];
    for (const [line, code] of tries)
      await expect(
        enrol({ invite: line, folder: stateOf('ada'), passphrase: PASSPHRASE }),
      ).rejects.toMatchObject({ code });
    await expect(loadIdentity(stateOf('ada'), PASSPHRASE)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('an invite that names another key than the coordinator’s does not enrol there', async () => {
    const good = decodeInvite(await invite('ada'));
    const forged = { ...good, key: (await coordinator.enrol('mallory')).id };
    // The signature over the wrong coordinator does not convince the real one.
    await expect(
      enrol({ invite: encodeInvite(forged), folder: stateOf('ada'), passphrase: PASSPHRASE }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/bad-signature|invite-invalid/) });
  });
});
