import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { normalizeUrl, requireSafeUrl } from './connect.ts';
import { readCredentials, saveLogin } from './credentials.ts';
import { EXIT } from './exit-codes.ts';
import { runInTest } from './test-io.ts';

describe('the address of a coordinator', () => {
  it.each([
    ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080'],
    ['HTTPS://FL.Example.org', 'https://fl.example.org'],
    ['https://example.org/fl/', 'https://example.org/fl'],
    ['localhost:8080', 'http://localhost:8080'],
    ['fl.example.org', 'https://fl.example.org'],
  ])('%s is kept as %s', (given, kept) => {
    expect(normalizeUrl(given)).toBe(kept);
  });

  it.each(['', 'ftp://example.org', 'http://', 'https://user:pw@example.org', 'https://example.org/?a=1'])(
    '%j is refused',
    (given) => {
      expect(() => normalizeUrl(given)).toThrow();
    },
  );

  it('may be plain HTTP on this machine only, unless that is wanted', () => {
    for (const url of ['http://127.0.0.1:1', 'http://localhost:1', 'http://[::1]:1', 'https://example.org'])
      expect(() => requireSafeUrl(url, false)).not.toThrow();
    for (const url of ['http://example.org', 'http://10.0.0.1', 'http://127.0.0.1.example.org'])
      expect(() => requireSafeUrl(url, false)).toThrow(/plain HTTP/);
    expect(() => requireSafeUrl('http://example.org', true)).not.toThrow();
  });
});

/** Stands in for an address that somebody else has taken over: it answers as a coordinator with a key of its own would. */
describe('a token', () => {
  const OTHER_KEY = `${'B'.repeat(42)}A`;
  let server: Server;
  let url: string;
  let seen: IncomingHttpHeaders[];
  let env: { XDG_CONFIG_HOME: string };

  beforeEach(async () => {
    seen = [];
    server = createServer((request, response) => {
      seen.push(request.headers);
      if (request.url === '/moved/v1/coordinator')
        return response.writeHead(302, { location: `${url}/v1/coordinator` }).end();
      response.setHeader('content-type', 'application/json');
      const info = { key: OTHER_KEY, fingerprint: 'x', protocol: 1, software: '0', epoch: 1 };
      response.end(JSON.stringify(request.url === '/v1/coordinator' ? info : []));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    env = { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'tributary-cli-')) };
  });
  afterEach(() => server.close());

  it('is not sent to a coordinator that shows another key than at login', async () => {
    await saveLogin(env, url, { token: 'secret-token', key: 'A'.repeat(43), allowInsecure: false });
    const { code, err } = await runInTest(['runs', 'list'], { env });
    expect(code).toBe(EXIT.notAllowed);
    expect(err).toMatch(/shows key [0-9a-f-]+; at login it was/);
    expect(seen.length).toBe(1);
    expect(seen.some(({ authorization }) => authorization !== undefined)).toBe(false);
  });

  it('of one coordinator is not sent to another', async () => {
    await saveLogin(env, 'https://a.example', {
      token: 'secret-token',
      key: OTHER_KEY,
      allowInsecure: false,
    });
    const { code } = await runInTest(['runs', 'list', '--url', url], { env });
    expect(code).toBe(EXIT.notAllowed);
    expect(seen).toEqual([]);
  });

  it('does not follow a redirect', async () => {
    const { code } = await runInTest(['login', `${url}/moved`, '--token', 'secret-token'], { env });
    expect(code).toBe(EXIT.unreachable);
    expect(seen.length).toBe(1);
  });

  it('is not even read for a coordinator whose fingerprint is not the one asked for', async () => {
    const words = ['login', url, '--token', 'secret-token', '--fingerprint', '0'.repeat(32)];
    const { code } = await runInTest(words, { env });
    expect(code).toBe(EXIT.notAllowed);
    expect(seen.some(({ authorization }) => authorization !== undefined)).toBe(false);
    expect((await readCredentials(env)).current).toBeNull();
  });

  it('never appears in what a login prints', async () => {
    for (const extra of [[], ['--json']]) {
      const { code, out, err } = await runInTest(['login', url, ...extra], { env, stdin: 'secret-token\n' });
      expect(code).toBe(EXIT.ok);
      expect(out + err).not.toContain('secret-token');
    }
    expect((await readCredentials(env)).coordinators[url]).toEqual({
      token: 'secret-token',
      key: OTHER_KEY,
      allowInsecure: false,
    });
  });
});

describe('a coordinator', () => {
  it('that does not answer is exit code 7', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const { code, err } = await runInTest(['runs', 'list', '--url', `http://127.0.0.1:${port}`, '--json'], {
      env: { TRIBUTARY_TOKEN: 'secret-token', XDG_CONFIG_HOME: '/nonexistent' },
    });
    expect(code).toBe(EXIT.unreachable);
    expect(JSON.parse(err)).toMatchObject({ code: 'unavailable', retryable: true });
  });

  it('that is some other web server is told apart', async () => {
    const server = createServer((_, response) => response.end('<html>Welcome to nginx</html>'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, err } = await runInTest(['runs', 'list', '--url', `http://127.0.0.1:${port}`], {
      env: { TRIBUTARY_TOKEN: 'secret-token', XDG_CONFIG_HOME: '/nonexistent' },
    });
    server.close();
    expect(code).toBe(EXIT.unreachable);
    expect(err).toMatch(/not as a Tributary coordinator does/);
  });
});
