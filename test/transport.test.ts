/** TLS, the ports of people and of partners, and whom a proxy speaks for: by what comes out of real sockets. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type App, type AppOptions, createApp, createLog, loadTls, parseProxies } from '@tributary/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Certificate, makeCertificate } from './support/certificate.ts';

const CLI = fileURLToPath(new URL('../client-sdk/bin/tributary.js', import.meta.url));
const PRIVATE = { mode: 0o600 };
const folder = mkdtempSync(join(tmpdir(), 'tributary-transport-'));
const good = makeCertificate();
const other = makeCertificate();
const cert = join(folder, 'cert.pem');
const key = join(folder, 'key.pem');
const lines: string[] = [];

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: { code?: string; remedy?: string; invite?: string };
}

function ask(url: string, options: RequestOptions = {}, body?: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = send(url, { agent: false, ca: [good.cert, other.cert], ...options }, (response) => {
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode!, headers: response.headers, body: JSON.parse(text || '{}') });
      });
    });
    request.on('error', reject);
    request.setHeader('content-type', 'application/json');
    request.end(body && JSON.stringify(body));
  });
}

async function start(name: string, options: Partial<AppOptions> = {}) {
  const app = await createApp({
    folder: join(folder, name),
    log: createLog('info', { write: (line: string) => lines.push(line) } as never),
    ...options,
  });
  const { url, adminUrl } = await app.listen({ host: '127.0.0.1', port: 0 });
  return { app, url, adminUrl: adminUrl ?? '' };
}

const bearer = (app: App) => ({ authorization: `Bearer ${app.adminToken}` });

function put(pair: Certificate): void {
  writeFileSync(cert, pair.cert);
  writeFileSync(key, pair.key, PRIVATE);
}

describe('TLS', () => {
  let app: App;
  let url: string;
  beforeAll(async () => {
    put(good);
    ({ app, url } = await start('tls', { tls: { cert, key } }));
  });
  afterAll(() => app.close());
  const certificateOf = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls(
        { port: Number(new URL(url).port), host: '127.0.0.1', rejectUnauthorized: false },
        () => {
          resolve(socket.getPeerX509Certificate()!.toString());
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });

  it('serves https with HSTS, and its invites say https', async () => {
    const { status, headers } = await ask(`${url}/healthz`);
    expect([status, headers['strict-transport-security']]).toEqual([200, 'max-age=31536000']);
    const { body } = await ask(
      `${url}/v1/partners/invites`,
      { method: 'POST', headers: bearer(app) },
      { name: 'a' },
    );
    expect(Buffer.from(body.invite!.split(':')[1]!, 'base64url').toString()).toContain(`"url":"${url}"`);
    expect(url).toMatch(/^https:/);
  });

  it('gives plain HTTP on its port nothing, not even a redirect', async () => {
    await expect(ask(url.replace('https', 'http'))).rejects.toThrow(/ECONNRESET|hang up/);
  });

  it.each([
    ['TLS 1.1', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['a cipher without forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
    ['a cipher in CBC mode', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' }],
  ] as const)('refuses a downgrade to %s', async (_, options) => {
    await expect(ask(`${url}/healthz`, options)).rejects.toThrow(/alert|EPROTO|ECONNRESET|protocol/i);
  });

  it('takes a renewed pair for the next connections, and keeps the old one while the new one does not fit', async () => {
    writeFileSync(cert, other.cert);
    await app.reloadTls();
    expect(await certificateOf()).toBe(good.cert);
    expect(lines.join()).toContain('the old ones stay in use');
    put(other);
    await app.reloadTls();
    expect(await certificateOf()).toBe(other.cert);
    put(good);
    await app.reloadTls();
  });

  it('is trusted by a node whose organisation has a CA of its own, and by no other', async () => {
    const invited = await ask(
      `${url}/v1/partners/invites`,
      { method: 'POST', headers: bearer(app) },
      { name: 'b' },
    );
    const init = (at: string, env: NodeJS.ProcessEnv) =>
      promisify(execFile)(
        process.execPath,
        [CLI, 'node', 'init', invited.body.invite!, '--dir', join(folder, at)],
        {
          env: { ...process.env, TRIBUTARY_PASSPHRASE: 'correct horse', ...env },
        },
      );
    const refused = expect(init('b1', {})).rejects.toThrow(/NODE_EXTRA_CA_CERTS/);
    await Promise.all([refused, init('b2', { NODE_EXTRA_CA_CERTS: cert })]);
  }, 20_000);

  it('is not held up by a socket that begins no handshake', async () => {
    const silent = connectTcp(Number(new URL(url).port), '127.0.0.1');
    expect((await ask(`${url}/readyz`)).status).toBe(200);
    silent.destroy();
  });
});

describe('files of TLS', () => {
  const at = (name: string, text: string, mode = 0o600) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  it.each([
    ['a missing certificate', () => ({ cert: join(folder, 'none'), key }), 'cannot be read (ENOENT)'],
    ['no PEM', () => ({ cert: at('x.pem', 'hello'), key }), 'holds no certificate'],
    ['a key that others may read', () => ({ cert, key: at('open.pem', good.key, 0o644) }), 'mode 644'],
    [
      'an expired one',
      () => ({ cert: at('old.pem', makeCertificate({ to: -0.5 }).cert), key }),
      'expired on',
    ],
    [
      'one of tomorrow',
      () => ({ cert: at('new.pem', makeCertificate({ from: 1 }).cert), key }),
      'not valid before',
    ],
    ['two that do not fit', () => ({ cert: at('c.pem', other.cert), key }), 'does not belong to'],
    ['a key instead of a certificate', () => ({ cert: key, key }), 'holds no certificate'],
  ])('refuses %s, and says what to do', async (_, files, words) => {
    const error = await loadTls(files()).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'storage-failed', remedy: expect.stringMatching(/.{10}/) });
    expect(error.message).toContain(words);
    expect(error.message + error.remedy).not.toContain(good.key.slice(40, 60));
  });
});

describe('ports of their own', () => {
  let app: App;
  let url: string;
  let adminUrl: string;
  beforeAll(async () => {
    ({ app, url, adminUrl } = await start('split', { split: true }));
  });
  afterAll(() => app.close());

  it.each([
    ['GET', '/v1/tokens'],
    ['POST', '/v1/tokens'],
    ['GET', '/v1/partners'],
    ['POST', '/v1/partners/invites'],
    ['GET', '/v1/runs'],
    ['GET', '/v1/models'],
    ['HEAD', '/v1/models'],
    ['GET', `/v1/blobs/${'0'.repeat(64)}`],
    ['PUT', `/v1/blobs/${'0'.repeat(64)}`],
    ['GET', '/v1/%74okens'],
  ])('serve no %s %s to the partners, whatever token it shows', async (method, path) => {
    const options = { method, headers: { ...bearer(app), host: new URL(adminUrl).host } };
    const there = await ask(url + path, options);
    expect(there.status).toBe(404);
    if (method !== 'HEAD') expect(there.body.code).toBe('not-found');
    const here = await ask(adminUrl + path, options);
    expect([200, 400, 415, 404]).toContain(here.status);
    expect(here.body.remedy ?? '').not.toContain('admin port');
  });

  it.each([
    ['POST', '/v1/enrol'],
    ['GET', '/v1/members'],
    ['GET', `/v1/updates/${'0'.repeat(64)}`],
    ['GET', '/v1/session'],
  ])('serve no %s %s to people', async (method, path) => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket' };
    expect(
      (await ask(adminUrl + path, { method, ...(path.endsWith('session') && { headers }) })).status,
    ).toBe(404);
    if (!path.endsWith('session')) expect((await ask(url + path, { method })).status).not.toBe(404);
  });

  it('both tell health and the coordinator’s key', async () => {
    for (const at of [url, adminUrl])
      for (const path of ['/healthz', '/readyz', '/v1/coordinator'])
        expect((await ask(at + path)).status).toBe(200);
  });
});

describe('a forwarded address', () => {
  const address = async (app: App, url: string, forwarded: string) => {
    lines.length = 0;
    await ask(`${url}/v1/tokens`, {
      headers: { 'x-forwarded-for': forwarded, authorization: 'Bearer trib_x' },
    });
    expect(app.adminToken).not.toBeNull();
    return JSON.parse(lines.find((line) => line.includes('auth.refused'))!).address;
  };

  it('is not believed without --trust-proxy', async () => {
    const { app, url } = await start('direct');
    expect(await address(app, url, '203.0.113.7')).toBe('127.0.0.1');
    await app.close();
  });

  it('is believed of a trusted proxy, and only what that proxy itself has seen', async () => {
    const { app, url } = await start('behind', { isProxy: parseProxies('127.0.0.1, 10.0.0.0/8') });
    expect(await address(app, url, '203.0.113.7')).toBe('203.0.113.7');
    expect(await address(app, url, '198.51.100.1, 203.0.113.7, 10.1.2.3')).toBe('203.0.113.7');
    await app.close();
  });

  it.each(['', 'proxy.example', '0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.1/8/8'])(
    'trusts no %j',
    (list) => {
      expect(() => parseProxies(list)).toThrow('no address or network');
    },
  );
});

afterAll(() => rmSync(folder, { recursive: true }));
