/** Rotations and enrolments that are cut off and repeated, and a coordinator whose key changes meanwhile. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  acceptMember,
  enrol,
  listApprovals,
  listMembers,
  loadEnrolment,
  loadIdentity,
  loadPinned,
  type RotatedKey,
  readIdentityKey,
  rotateKey,
  trustCoordinator,
} from '@tributary/client-sdk';
import { decodeInvite, encodeInvite, fingerprint, identityFromSeed } from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { type App, createApp, createLog, rotateOwnKey } from '@tributary/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestCoordinator, type TestCoordinator } from './support/coordinator.ts';

const CLI = join(import.meta.dirname, '../client-sdk/bin/tributary.js');
const passphrase = 'correct horse battery staple';
const other = 'another good passphrase';
let coordinator: TestCoordinator;
/** In its place once its key was replaced. */
let again: App | undefined;
let root: string;
const stateOf = (name: string) => join(root, name, 'state');
const keyOf = (name: string) => readIdentityKey(stateOf(name));

async function invite(name: string): Promise<string> {
  const { body } = await coordinator.call('POST', '/v1/partners/invites', { name });
  return (body as { invite: string }).invite;
}

/** Removed and invited anew. */
async function invitedAnew(name: string): Promise<string> {
  expect((await coordinator.call('DELETE', `/v1/partners/${name}`)).status).toBe(204);
  return invite(name);
}

async function enrolled(name: string): Promise<void> {
  await enrol({ invite: await invite(name), folder: stateOf(name), passphrase });
  const policy = '{ plans: ask }';
  const data = '{ kind: csv, path: rows.csv }';
  writeFileSync(
    join(root, name, 'node.yaml'),
    `name: ${name}\nstate: ./state\ndata: ${data}\npolicy: ${policy}\n`,
  );
}

/** The command of the owner. */
async function node(name: string, words: readonly string[], crashAt = '') {
  const env = { PATH: process.env.PATH, TRIBUTARY_PASSPHRASE: passphrase, TRIBUTARY_CRASH_AT: crashAt };
  const child = spawn(process.execPath, [CLI, 'node', ...words, '--json'], { env, cwd: join(root, name) });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  const [code, signal] = await once(child, 'close');
  if (crashAt) expect([signal, err]).toEqual(['SIGKILL', expect.stringContaining(crashAt)]);
  else expect([code, err]).toEqual([0, '']);
  return out ? JSON.parse(out) : null;
}

beforeAll(async () => {
  coordinator = await startTestCoordinator();
  root = mkdtempSync(join(tmpdir(), 'tributary-rotation-cut-'));
  for (const name of ['ann', 'bob']) await enrolled(name);
});
afterAll(async () => {
  await again?.close();
  if (again) rmSync(coordinator.folder, { recursive: true });
  else await coordinator.close();
  rmSync(root, { recursive: true });
});

describe('a rotation that its owner has not heard of', () => {
  it('is told when the command is repeated, and makes no third key; the new passphrase is in a file', async () => {
    const file = join(root, 'new-passphrase');
    writeFileSync(file, `${other}\n`, { mode: 0o600 });
    const old = await keyOf('ann');
    expect(await node('ann', ['rotate-key'], 'node.identity.durable')).toBeNull();
    const key = await keyOf('ann');
    expect(key).not.toBe(old);
    const repeated = await node('ann', ['rotate-key', '--new-passphrase-file', file]);
    expect(repeated).toMatchObject({ old, key, earlier: true });
    expect((await loadIdentity(stateOf('ann'), other)).id).toBe(key);
    expect(existsSync(join(stateOf('ann'), 'rotation.json'))).toBe(false);
  });

  it('has the new passphrase that it was given', async () => {
    const folder = stateOf('ann');
    const old = await keyOf('ann');
    const given = { folder, passphrase: other, newPassphrase: passphrase };
    await expect(rotateKey({ ...given, newPassphrase: 'short' })).rejects.toMatchObject({
      code: 'malformed',
    });
    const cut = (): never => {
      throw new Error('cut');
    };
    await expect(rotateKey({ ...given, tell: cut })).rejects.toThrow('cut');
    const key = await keyOf('ann');
    await expect(rotateKey({ folder, passphrase: other })).rejects.toMatchObject({ code: 'forbidden' });
    const told: RotatedKey[] = [];
    const second = await rotateKey({ ...given, tell: (rotated) => told.push(rotated) });
    expect(second).toMatchObject({ old, key, earlier: true });
    expect(told).toEqual([second]);
    expect(await rotateKey({ folder, passphrase })).toMatchObject({ old: key, earlier: false });
  });
});

describe('a partner that is invited anew into its folder', () => {
  it('finishes when it was cut off before the new key was in its place, and after; the address is the invite’s', async () => {
    const identity = await loadIdentity(stateOf('ann'), passphrase);
    await listMembers({ folder: stateOf('ann'), identity });
    await acceptMember(stateOf('ann'), 'bob');
    const plan = { plan: 'a'.repeat(64), topology: 'b'.repeat(64), state: 'approved', run: 'r', body: {} };
    const approvals = { plans: [{ ...plan, proposedAt: 1, decidedAt: 2 }] };
    writeFileSync(join(stateOf('ann'), 'approvals.json'), JSON.stringify(approvals));
    const line = await invitedAnew('ann');
    const url = coordinator.url.replace('127.0.0.1', 'localhost');
    const moved = encodeInvite({ ...decodeInvite(line), url });
    const old = await keyOf('ann');
    await node('ann', ['init', moved], 'node.enrol-again.bound');
    expect(await keyOf('ann')).toBe(old);
    await node('ann', ['init', moved], 'node.identity.durable');
    const key = await keyOf('ann');
    expect(key).not.toBe(old);
    expect(await node('ann', ['init', moved])).toMatchObject({ key, again: true, url });
    expect(await keyOf('ann')).toBe(key);
    expect(await loadEnrolment(stateOf('ann'))).toMatchObject({ url, key: coordinator.app.identity.id });
    // It is the same coordinator: what the owner decided and accepted stays.
    expect(await listApprovals(stateOf('ann'))).toEqual(approvals.plans);
    expect(await loadPinned(stateOf('ann'))).toMatchObject([{ name: 'bob' }]);
  });

  it('leaves no key behind when the invite is spent', async () => {
    await enrolled('eda');
    const spent = await invitedAnew('eda');
    await enrol({ invite: spent, folder: join(root, 'elsewhere'), passphrase });
    expect((await coordinator.call('DELETE', '/v1/partners/eda')).status).toBe(204);
    const before = readdirSync(stateOf('eda'));
    await expect(enrol({ invite: spent, folder: stateOf('eda'), passphrase })).rejects.toMatchObject({
      code: 'invite-invalid',
    });
    expect(readdirSync(stateOf('eda'))).toEqual(before);
  });

  it('keeps nothing for another coordinator: the folder is refused as it is', async () => {
    const stranger = identityFromSeed(nodeCrypto, nodeRandom(32)).id;
    const line = encodeInvite({ ...decodeInvite(await invite('new')), key: stranger, name: 'ann' });
    const before = await loadEnrolment(stateOf('ann'));
    for (const follow of [false, true])
      await expect(enrol({ invite: line, folder: stateOf('ann'), passphrase, follow })).rejects.toMatchObject(
        { code: 'conflict' },
      );
    expect(await loadEnrolment(stateOf('ann'))).toEqual(before);
  });
});

describe('after the coordinator has a new key', () => {
  let old: string;
  let key: string;
  beforeAll(async () => {
    const port = Number(new URL(coordinator.url).port);
    await coordinator.app.close();
    ({ old, key } = await rotateOwnKey(coordinator.folder));
    again = await createApp({ folder: coordinator.folder, log: createLog('silent') });
    await again.listen({ host: '127.0.0.1', port });
  });
  const toTrust = () => ({
    code: 'wrong-coordinator',
    remedy: expect.stringContaining(`tributary node trust ${fingerprint(nodeCrypto, key)}`),
  });

  it('rotate-key names `node trust`, or follows; what it began before is finished', async () => {
    const rotate = (name: string, follow = false) => rotateKey({ folder: stateOf(name), passphrase, follow });
    await expect(rotate('bob')).rejects.toMatchObject(toTrust());
    cpSync(join(root, 'bob'), join(root, 'bob-follows'), { recursive: true });
    const rotated = await rotate('bob-follows', true);
    expect(await loadEnrolment(stateOf('bob-follows'))).toMatchObject({ key, former: [old] });
    await trustCoordinator({ folder: stateOf('bob'), fingerprint: fingerprint(nodeCrypto, key) });
    expect(await rotate('bob')).toMatchObject({ old: rotated.old, key: rotated.key });
  });

  it('an invite that names it does the same for a folder that was enrolled under the former one', async () => {
    const line = await invitedAnew('ann');
    const options = { invite: line, folder: stateOf('ann'), passphrase };
    await expect(enrol(options)).rejects.toMatchObject(toTrust());
    const approvals = await listApprovals(stateOf('ann'));
    const { enrolment, identity } = await enrol({ ...options, follow: true });
    expect(enrolment).toMatchObject({ key, former: [old], url: coordinator.url });
    expect(await keyOf('ann')).toBe(identity.id);
    expect(await listApprovals(stateOf('ann'))).toEqual(approvals);
    const stale = encodeInvite({ ...decodeInvite(line), key: old });
    await expect(enrol({ ...options, invite: stale })).rejects.toMatchObject({ code: 'invite-invalid' });
  });
});
