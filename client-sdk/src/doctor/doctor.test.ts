/** Single checks, with what can be wrong; the whole doctor through a firewall is test/doctor.test.ts. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { Finding } from '@tributary/protocol';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { NodeConfig } from '../node/config.ts';
import { parsePolicy } from '../policy/index.ts';
import { coordinatorFindings, socketFinding } from './coordinator.ts';
import { memory, nodeVersion } from './machine.ts';
import { ownCa, wayTo } from './network.ts';
import { fileChecks } from './node-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-doctor-'));
const servers: Server[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
const last = async (found: Promise<readonly Finding[]>) => (await found).at(-1);

describe('the way to a coordinator', () => {
  it('ends where the certificate is of a CA that is not known', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', [...request, '-subj', '/CN=own', '-keyout', key, '-out', cert], {
      stdio: 'pipe',
    });
    const port = await listening(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }));
    expect(await last(wayTo(new URL(`https://127.0.0.1:${port}`)))).toMatchObject({
      check: 'tls',
      level: 'failed',
      message: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT'),
      remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect((await ownCa(cert))[0]).toMatchObject({ level: 'ok', message: expect.stringContaining('own') });
  });

  it('ends at a port that speaks no TLS, and at one that nobody listens on', async () => {
    const port = await listening(createServer((socket) => socket.end('220 mail\r\n').on('error', () => {})));
    expect(await last(wayTo(new URL(`https://127.0.0.1:${port}`)))).toMatchObject({
      check: 'tls',
      level: 'failed',
    });
    servers.pop()!.close();
    expect(await last(wayTo(new URL(`http://127.0.0.1:${port}`)))).toMatchObject({
      level: 'failed',
      remedy: expect.stringContaining('tributary-server start'),
    });
  });

  it('ends at a proxy that does not let it through', async () => {
    const proxy = createHttpServer().on('connect', (_, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    );
    vi.stubEnv('HTTPS_PROXY', `http://me:hunter2@127.0.0.1:${await listening(proxy)}`);
    const found = await last(wayTo(new URL('https://coordinator.test')));
    expect(found).toMatchObject({ level: 'failed', remedy: expect.stringContaining('USER:PASSWORD@HOST') });
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  it('needs a file of the own CA that is one', async () => {
    expect(await ownCa('')).toEqual([]);
    expect(await last(ownCa('/nowhere/ca.pem'))).toMatchObject({
      level: 'failed',
      message: expect.stringContaining('ENOENT'),
    });
    writeFileSync(join(folder, 'text.pem'), 'no certificate');
    expect(await last(ownCa(join(folder, 'text.pem')))).toMatchObject({ level: 'failed' });
  });
});

describe('the coordinator', () => {
  const key = 'A'.repeat(43);

  it('is told by its key, its version and its clock; a proxy may hold WebSockets up', async () => {
    const info = { key, fingerprint: 'x', protocol: 1, software: '9.9.9', epoch: 1 };
    const server = createHttpServer((_, response) => {
      response.setHeader('date', new Date(Date.now() - 3_600_000).toUTCString());
      response.end(JSON.stringify(info));
    });
    server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 501 Not Implemented\r\n\r\n'));
    const base = new URL(`http://127.0.0.1:${await listening(server)}`);
    const levels = (found: readonly Finding[]) => found.map(({ check, level }) => [check, level]);
    expect(levels(await coordinatorFindings(base, key))).toEqual([
      ['coordinator', 'ok'],
      ['clock', 'warning'],
      ['pinned key', 'ok'],
    ]);
    const others = await coordinatorFindings(base, 'B'.repeat(42).concat('A'));
    expect(others[1]).toMatchObject({ message: expect.stringMatching(/^36\d\d s ahead of/) });
    expect(others[2]).toMatchObject({ check: 'pinned key', level: 'failed' });
    expect(await socketFinding(base)).toMatchObject({
      level: 'failed',
      message: expect.stringContaining('501'),
      remedy: expect.stringContaining('Upgrade: websocket'),
    });
  });
});

describe('node.yaml', () => {
  const config = (data: object): NodeConfig => ({
    ...({ name: 'a', state: folder, folder, engine: 'auto', data } as unknown as NodeConfig),
    policy: parsePolicy({ plans: [], aggregation: 'allow-plain' }, 'partner'),
  });
  const check = async (name: string, data: object) =>
    fileChecks(config(data), 'node.yaml')
      .find((each) => each.name === name)!
      .run();

  it('is put into plain words', async () => {
    const found = await check('policy', {});
    expect(found[0]?.message).toBe(
      '0 plans allowed; plain sums too; 5 partners or more in a round, 3 in a sum; 100 rounds at most',
    );
    expect(found.slice(1).map(({ level }) => level)).toEqual(['warning', 'warning']);
  });

  it('shows no row of a table that has no header', async () => {
    writeFileSync(join(folder, 'bare.csv'), '4711;63;1.9;Meier\n4712;58;2.1;Huber\n');
    const found = await check('data', { kind: 'csv', path: 'bare.csv', delimiter: ';' });
    expect(found).toMatchObject([{ level: 'warning', message: expect.stringContaining('no header row') }]);
    expect(JSON.stringify(found)).not.toMatch(/4711|Meier/);
  });

  it('names data of which the head is read', async () => {
    writeFileSync(join(folder, 'a.csv'), 'x;y;z\n1;2;3\n');
    writeFileSync(join(folder, 'a.idx'), Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 7, 7]));
    writeFileSync(join(folder, 'torn.idx'), Buffer.from([0, 0, 8, 1, 0, 0, 0, 2, 7]));
    const message = async (data: object) => (await check('data', data))[0]!;
    expect((await message({ kind: 'csv', path: 'a.csv', delimiter: ';' })).message).toContain('3 columns');
    expect((await message({ kind: 'idx', images: 'a.idx', labels: 'a.idx' })).message).toContain('IDX of 2');
    for (const data of [
      { kind: 'idx', images: 'a.idx', labels: 'torn.idx' },
      { kind: 'idx', images: 'a.csv', labels: 'a.idx' },
      { kind: 'csv', path: 'missing.csv' },
      { kind: 'folder', path: 'a.csv' },
    ])
      expect(await message(data)).toMatchObject({
        level: 'failed',
        remedy: expect.stringContaining('`data`'),
      });
  });
});

it('Node and memory are judged', () => {
  expect(['18.0.0', '20.18.9', '20.19.0', '22.1.0', '23.0.0'].map((v) => nodeVersion(v).level)).toEqual([
    ...['failed', 'failed', 'ok', 'ok', 'warning'],
  ]);
  expect([memory(5e8, 8e9).level, memory(4e9, 8e9).level]).toEqual(['warning', 'ok']);
});
