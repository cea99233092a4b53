/** Keys that change while runs go on (PROTOCOL.md 4.8): real nodes by their folders, a real coordinator. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  acceptMember,
  type ClientEvents,
  enrol,
  listMembers,
  loadEnrolment,
  loadNodeConfig,
  loadPinned,
  type RunningNode,
  readIdentityKey,
  rotateKey,
  startNode,
  type Trainer,
  trustCoordinator,
} from '@tributary/client-sdk';
import { fingerprint, type Identity, type Partner, planHash } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { type App, checkFolder, createApp, createLog, rotateOwnKey } from '@tributary/server';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stepTrainer } from './support/clients.ts';
import {
  PARAMETERS,
  PATIENT,
  startTestCoordinator,
  type TestCoordinator,
  testPlan,
} from './support/coordinator.ts';

const passphrase = 'correct horse battery staple';
const NAMES = ['ann', 'bob', 'cem', 'dan', 'eve'];
const plan = testPlan({ rounds: 2, timing: PATIENT });

let coordinator: TestCoordinator;
/** In its place once it was started again. */
let again: App | undefined;
let root: string;
const nodes = new Map<string, RunningNode>();
/** As enrolled. */
const identities = new Map<string, Identity>();
const refused = new Map<string, ClientEvents['refused'][]>(NAMES.map((name) => [name, []]));
const disconnected = new Map<string, ClientEvents['disconnected'][]>(NAMES.map((name) => [name, []]));
const rotated: [string, string, boolean][] = [];
const followed: [string, string][] = [];
const splitSeeds: string[] = [];
/** What ann's training waits for, so that no round goes on before its time. */
let paused = () => {};
let pause = Promise.resolve();
function hold(): void {
  pause = new Promise((resolve) => {
    paused = resolve;
  });
}

const stateOf = (name: string) => join(root, name, 'state');

async function start(name: string, folder = name): Promise<void> {
  const config = await loadNodeConfig(join(root, folder, 'node.yaml'));
  const stepping = stepTrainer(NAMES.indexOf(name));
  const trainer: Trainer = {
    ...stepping,
    async train(task) {
      if (name === 'ann') await pause;
      if (name === 'ann') splitSeeds.push(Buffer.from(task.splitSeed).toString('hex'));
      return stepping.train(task);
    },
  };
  const node = await startNode({
    ...{ config, passphrase, trainer },
    onRotated: ({ name: who }, followed) => rotated.push([name, who, followed]),
    onCoordinatorRotated: ({ key }) => followed.push([name, key]),
    prepare(client) {
      client.on('refused', (event) => refused.get(name)!.push(event));
      client.on('disconnected', (event) => disconnected.get(name)!.push(event));
    },
  });
  try {
    await node.connected;
    nodes.set(folder, node);
  } catch (error) {
    await node.close();
    throw error;
  }
}

const keyOf = (name: string) => readIdentityKey(stateOf(name));
const partner = async (name: string) => {
  const { body } = await coordinator.call('GET', '/v1/partners');
  return (body as Partner[]).find((each) => each.name === name)!;
};
const statusAt = async (name: string, of: string) => {
  const listed = await listMembers({ folder: stateOf(name) });
  return listed.filter((each) => each.name === of).map(({ status }) => status);
};

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  root = mkdtempSync(join(tmpdir(), 'tributary-rotation-'));
  for (const name of NAMES) {
    const { body } = await coordinator.call('POST', '/v1/partners/invites', { name });
    const { invite } = body as { invite: string };
    identities.set(name, (await enrol({ invite, folder: stateOf(name), passphrase })).identity);
    const rotation = name === 'eve' ? 'ask' : 'follow';
    const policy = `{ plans: [{ plan: ${planHash(nodeCrypto, plan)} }], minRoster: 3, rotation: ${rotation} }`;
    writeFileSync(
      join(root, name, 'node.yaml'),
      `name: ${name}\nstate: ./state\ndata: { kind: csv, path: rows.csv }\npolicy: ${policy}\n`,
    );
  }
  for (const [name, identity] of identities) {
    for (const member of await listMembers({ folder: stateOf(name), identity }))
      if (member.status !== 'self') await acceptMember(stateOf(name), member.name);
  }
  await Promise.all(NAMES.map((name) => start(name)));
});
afterAll(async () => {
  await Promise.all([...nodes.values()].map((node) => node.close()));
  await again?.close();
  if (again) rmSync(coordinator.folder, { recursive: true });
  else await coordinator.close();
  rmSync(root, { recursive: true });
});

it('a partner rotates between rounds: who follows goes on, who asks sits out and is told why', async () => {
  hold();
  const { id } = await coordinator.startRun(plan);
  await coordinator.until(id, ({ current }) => current?.phase === 'advertise');
  await coordinator.call('POST', `/v1/runs/${id}/pause`);
  paused();
  const first = await coordinator.until(id, ({ round }) => round >= 1);
  expect(first.history[0]!.participants.toSorted()).toEqual(NAMES);
  const before = await keyOf('ann');
  cpSync(join(root, 'ann'), join(root, 'thief'), { recursive: true });
  await expect(rotateKey({ folder: stateOf('ann'), passphrase })).rejects.toMatchObject({
    code: 'already-running',
  });
  await nodes.get('ann')!.close();
  const { old, key } = await rotateKey({ folder: stateOf('ann'), passphrase });
  expect([old, key]).toEqual([before, await keyOf('ann')]);
  expect(await partner('ann')).toMatchObject({ key, connected: false, rotated: expect.any(Number) });
  await expect
    .poll(() => rotated.toSorted())
    .toEqual([...['bob', 'cem', 'dan'].map((name) => [name, 'ann', true]), ['eve', 'ann', false]]);
  for (const name of NAMES.slice(1)) {
    const pinned = (await loadPinned(stateOf(name))).filter((each) => each.name === 'ann');
    expect(pinned.map((each) => each.key)).toEqual([name === 'eve' ? old : key]);
  }
  expect(await statusAt('eve', 'ann')).toEqual(['rotated']);
  expect(await statusAt('bob', 'ann')).toEqual(['accepted']);

  await start('ann');
  await coordinator.call('POST', `/v1/runs/${id}/resume`);
  const done = await coordinator.until(id, ({ status }) => status === 'done' || status === 'failed');
  expect(done).toMatchObject({ status: 'done', round: 2 });
  const { participants } = done.history[1]!;
  expect(participants).toContain('ann');
  // Eve's node may leave after the roster, or before it, once it has refused: never with ann in the sum.
  expect(participants).not.toContain('eve');
  expect(refused.get('eve')).toContainEqual(expect.objectContaining({ code: 'stranger-in-roster' }));
  // What ann holds out does not change sides with the key.
  expect(splitSeeds).toHaveLength(2);
  expect(splitSeeds[1]).toBe(splitSeeds[0]);

  await acceptMember(stateOf('eve'), 'ann');
  expect(await statusAt('eve', 'ann')).toEqual(['accepted']);
});

it('the old key opens nothing: a thief with a copy of the folder is refused, and cannot rotate again', async () => {
  await expect(start('ann', 'thief')).rejects.toMatchObject({ code: 'key-rotated' });
  await expect(rotateKey({ folder: stateOf('thief'), passphrase })).rejects.toMatchObject({
    code: 'key-rotated',
  });
});

it('the ledger stays: what was sent under the old key is sent on no other run from the same weights', async () => {
  const { id } = await coordinator.startRun(plan);
  const sitsOut = () => refused.get('ann')!.find(({ run, code }) => run === id && code === 'sits-out');
  await expect.poll(sitsOut, { timeout: 10_000 }).toBeDefined();
  await coordinator.call('POST', `/v1/runs/${id}/cancel`);
});

it('a node whose answer got lost finishes what it began', async () => {
  await nodes.get('cem')!.close();
  const enrolment = join(stateOf('cem'), 'coordinator.json');
  const text = readFileSync(enrolment, 'utf8');
  writeFileSync(enrolment, text.replace(coordinator.url, 'http://127.0.0.1:1'));
  const rotate = (name: string) => rotateKey({ folder: stateOf(name), passphrase });
  await expect(rotate('cem')).rejects.toMatchObject({ code: 'unavailable' });
  writeFileSync(enrolment, text);
  // Its coordinator has heard of the new key, it does not know: as after a crash between the two.
  cpSync(join(root, 'cem'), join(root, 'cem-heard'), { recursive: true });
  const { old, key } = await rotate('cem-heard');
  await expect(start('cem')).rejects.toMatchObject({
    code: 'key-rotated',
    remedy: expect.stringContaining('tributary node rotate-key'),
  });
  expect(await rotate('cem')).toMatchObject({ old, key, earlier: false });
  await start('cem');
  expect(await partner('cem')).toMatchObject({ key, connected: true, incident: null });
});

it('a thief who was first is found out by the owner, and the operator removes the partner', async () => {
  cpSync(join(root, 'bob'), join(root, 'thief-of-bob'), { recursive: true });
  await rotateKey({ folder: stateOf('thief-of-bob'), passphrase });
  await nodes.get('bob')!.close();
  await expect(start('bob')).rejects.toMatchObject({ code: 'key-rotated' });
  await expect(rotateKey({ folder: stateOf('bob'), passphrase })).rejects.toMatchObject({
    code: 'key-rotated',
  });
  expect((await coordinator.call('DELETE', '/v1/partners/bob')).status).toBe(204);
  await expect(start('bob', 'thief-of-bob')).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(rotateKey({ folder: stateOf('thief-of-bob'), passphrase })).rejects.toMatchObject({
    code: 'unauthenticated',
  });
});

it('a partner that was invited anew has a new key in its old folder, and its ledger there', async () => {
  const { body } = await coordinator.call('POST', '/v1/partners/invites', { name: 'bob' });
  const { invite } = body as { invite: string };
  const options = { invite, folder: stateOf('bob'), passphrase };
  await expect(enrol({ ...options, folder: stateOf('dan') })).rejects.toMatchObject({ code: 'conflict' });
  await expect(enrol({ ...options, passphrase: 'another passphrase' })).rejects.toMatchObject({
    code: 'forbidden',
  });
  const pins = await loadPinned(stateOf('bob'));
  // What his own try to rotate left would do; here it is the thief's, which was removed: nobody's for good.
  cpSync(join(stateOf('thief-of-bob'), 'identity.json'), join(stateOf('bob'), 'identity.next.json'));
  const removed = await readIdentityKey(stateOf('thief-of-bob'));
  // A copy of the folder cannot use the invite a second time.
  cpSync(join(root, 'bob'), join(root, 'bob-before'), { recursive: true });
  const { identity, again: anew } = await enrol(options);
  expect(anew).toBe(true);
  expect([identities.get('bob')!.id, removed]).not.toContain(identity.id);
  await expect(enrol({ ...options, folder: stateOf('bob-before') })).rejects.toMatchObject({
    code: 'invite-invalid',
  });
  expect(await keyOf('bob')).toBe(identity.id);
  expect(await loadPinned(stateOf('bob'))).toEqual(pins);
  await start('bob');
  expect(await partner('bob')).toMatchObject({ key: identity.id, connected: true, incident: null });
  // On these weights it has sent a vector under its first key.
  const { id } = await coordinator.startRun(plan);
  const sitsOut = () => refused.get('bob')!.find(({ run, code }) => run === id && code === 'sits-out');
  await expect.poll(sitsOut, { timeout: 10_000 }).toBeDefined();
  await coordinator.call('POST', `/v1/runs/${id}/cancel`);
  // Nobody has accepted its new key.
  await nodes.get('bob')!.close();
  nodes.delete('bob');
});

it('the coordinator rotates: its open attempt is void, who follows goes on, who asks is told what to do', async () => {
  hold();
  const { id } = await coordinator.startRun(plan, new Float32Array(PARAMETERS).fill(0.5));
  await coordinator.until(id, ({ current }) => current?.phase === 'advertise');
  await expect(rotateOwnKey(coordinator.folder)).rejects.toMatchObject({ code: 'already-running' });
  await coordinator.app.close();
  const { old, key, voided } = await rotateOwnKey(coordinator.folder);
  expect([old, voided]).toEqual([coordinator.app.identity.id, [id]]);
  again = await createApp({ folder: coordinator.folder, log: createLog('silent') });
  expect(again.identity.id).toBe(key);
  await again.listen({ host: '127.0.0.1', port: Number(new URL(coordinator.url).port) });
  paused();

  const done = await coordinator.until(id, ({ status }) => status === 'done' || status === 'failed');
  expect(done).toMatchObject({ status: 'done', round: 2 });
  expect(done.voided).toContainEqual(
    expect.objectContaining({ attempt: 1, code: 'key-rotated', reason: 'The coordinator has a new key.' }),
  );
  expect(done.history[0]!.participants.toSorted()).toEqual(['ann', 'cem', 'dan']);
  expect(followed.toSorted()).toEqual(['ann', 'cem', 'dan'].map((name) => [name, key]));
  expect(await loadEnrolment(stateOf('dan'))).toMatchObject({ key, former: [old] });

  const shown = fingerprint(nodeCrypto, key);
  await expect
    .poll(() => disconnected.get('eve')!.at(-1))
    .toMatchObject({
      ...{ code: 'wrong-coordinator', final: false },
      message: expect.stringContaining(`tributary node trust ${shown}`),
    });
  expect(await loadEnrolment(stateOf('eve'))).toMatchObject({ key: old });
  await expect(
    listMembers({ folder: stateOf('eve'), identity: identities.get('eve')! }),
  ).rejects.toMatchObject({ code: 'wrong-coordinator', remedy: expect.stringContaining('node trust') });
  const trust = (given: string) => trustCoordinator({ folder: stateOf('eve'), fingerprint: given });
  await expect(trust(fingerprint(nodeCrypto, old))).rejects.toMatchObject({ code: 'conflict' });
  expect((await trust(shown)).former).toEqual([old]);
  await nodes.get('eve')!.close();
  await start('eve');
  expect(await partner('eve')).toMatchObject({ connected: true });

  // What was signed before stays good under the old key, and a member's key from then can be followed still.
  expect((await checkFolder(coordinator.folder)).filter(({ level }) => level === 'failed')).toEqual([]);
  expect(await statusAt('eve', 'cem')).toEqual(['rotated']);
});
