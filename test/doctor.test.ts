/** Behind a firewall: everything of a partner through a proxy with a password and TLS by an own CA; and what the doctor says. */
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '@tributary/protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Firewall, PASSWORD, startFirewall } from './support/firewall.ts';
import { createPrograms, type Programs, until } from './support/programs.ts';

let programs: Programs;
let firewall: Firewall;
let env: NodeJS.ProcessEnv;
let token: string;
beforeAll(async () => {
  programs = await createPrograms();
  const { url, adminToken } = await programs.startServer();
  token = adminToken!;
  firewall = await startFirewall(programs.folder, url);
  env = { HTTPS_PROXY: firewall.proxy, NODE_EXTRA_CA_CERTS: firewall.ca };
});
afterAll(async () => {
  firewall.close();
  await programs.close();
});

async function doctor(line: string, changed: NodeJS.ProcessEnv = {}) {
  const { code, out, err } = await programs.run(`doctor ${line} --json`, { env: { ...env, ...changed } });
  expect(out + err).not.toContain(PASSWORD);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  const of = (check: string) => findings.find((finding) => finding.check === check);
  return { code, findings, of };
}

it('a partner enrols and takes part through the proxy, and the doctor sees the way', {
  timeout: 60_000,
}, async () => {
  const login = await programs.run(`login ${firewall.url}`, { env, stdin: token });
  expect(login).toMatchObject({ code: 0 });
  const { invite } = await programs.json('partners invite clinic', { env });
  const own = invite.replace(/^tributary-invite:/, '');
  expect(own).not.toBe(invite);
  const address = (JSON.parse(Buffer.from(own, 'base64url').toString('utf8')) as { url: string }).url;
  // The coordinator of this test does not know the name under which the partner reaches it.
  const moved = Buffer.from(own, 'base64url').toString('utf8').replace(address, firewall.url);
  const line = `tributary-invite:${Buffer.from(moved).toString('base64url')}`;
  expect(await programs.run(`node init ${line} --dir clinic`, { env })).toMatchObject({ code: 0 });
  const config = join(programs.folder, 'clinic/node.yaml');
  await writeFile(join(programs.folder, 'clinic/rows.csv'), 'age,label\n1,a\n');
  await writeFile(
    config,
    'name: clinic\nstate: ./state\nengine: wasm\ndata: {kind: csv, path: rows.csv}\npolicy: {plans: ask}\n',
  );

  const node = programs.start(['node', 'start', '--config', config, '--json'], { env });
  await until(() => node.text.out.includes('"event":"connected"') || node.child.exitCode !== null);
  expect(node.text.out).toContain('"event":"connected"');

  const healthy = await doctor(`--config ${config}`);
  expect(healthy.findings.filter(({ level }) => level === 'failed')).toEqual([]);
  expect(healthy.of('proxy')?.message).toContain('HTTPS_PROXY');
  expect(healthy.of('tls')?.message).toContain('Test Hospital CA');
  expect(healthy.of('own CA')?.message).toContain('Test Hospital CA');
  expect(healthy.of('pinned key')?.level).toBe('ok');
  expect(healthy.of('websocket')?.level).toBe('ok');
  expect(healthy.of('engine')?.message).toMatch(/^wasm trains here, as node.yaml says/);
  expect(healthy.of('data')?.message).toContain('2 columns (age, label)');
  expect(healthy.of('running')?.message).toBe('a node runs on this folder');
  expect(new Set(firewall.asked)).toEqual(new Set([new URL(firewall.url).host]));
  node.child.kill('SIGTERM');
  await node.ended;

  // The same folder with what can be wrong with it.
  const state = join(programs.folder, 'clinic/state');
  await chmod(join(state, 'identity.json'), 0o644);
  await rm(join(programs.folder, 'clinic/rows.csv'));
  await writeFile(join(state, 'ledger'), 'not a ledger\n');
  const pinned = join(state, 'coordinator.json');
  await writeFile(
    pinned,
    JSON.stringify({ url: firewall.url, key: 'A'.repeat(43), name: 'clinic', role: 'partner' }),
  );
  const ill = await doctor(`--config ${config}`, { NODE_EXTRA_CA_CERTS: firewall.ca });
  expect(ill.code).toBe(1);
  expect(ill.of('state')).toMatchObject({ level: 'warning', remedy: expect.stringContaining('chmod 600') });
  expect(ill.of('data')).toMatchObject({
    level: 'failed',
    message: expect.stringContaining('does not exist'),
  });
  expect(ill.of('ledger')?.level).toBe('failed');
  expect(ill.of('pinned key')).toMatchObject({
    level: 'failed',
    remedy: expect.stringContaining('telephone'),
  });
});
