/** A new key for the coordinator: stopped only, one chain, and whole after a crash at any point. */
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import {
  chainFrom,
  decodeInvite,
  identityFromSeed,
  LIMITS,
  type SignedRotation,
  sign,
  signRotation,
  toBase64,
} from '@tributary/protocol';
import { nodeCrypto, nodeRandom } from '@tributary/protocol/node';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type App, createApp } from './app.ts';
import { createLog } from './log.ts';
import {
  IDENTITY_FILE,
  NEXT_IDENTITY_FILE,
  openNextIdentity,
  readIdentity,
} from './registry/identity-file.ts';
import { rotateOwnKey } from './rotate-key.ts';
import { openDatabase } from './storage/sqlite/open.ts';
import { openSqliteStore } from './storage/sqlite/store.ts';

let folder: string;
let first: string;
let invite: string;
const start = (): Promise<App> => createApp({ folder, log: createLog('silent') });
const identity = () => readIdentity(join(folder, IDENTITY_FILE));

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-rotate-'));
  const app = await start();
  first = app.identity.id;
  await app.listen({ host: '127.0.0.1', port: 0 });
  const response = await app.http.inject({
    ...{ method: 'POST', url: '/v1/partners/invites', payload: { name: 'ann' } },
    headers: { authorization: `Bearer ${app.adminToken}` },
  });
  ({ invite } = response.json());
  await app.close();
});
afterEach(() => rmSync(folder, { recursive: true }));

async function served(app: App): Promise<{ key: string; rotations: SignedRotation[] }> {
  const get = async (url: string) => (await app.http.inject({ url })).json();
  return { key: (await get('/v1/coordinator')).key, rotations: await get('/v1/coordinator/rotations') };
}

describe('rotate-key', () => {
  it('twice: everybody can follow the chain from the first key', async () => {
    const second = await rotateOwnKey(folder);
    expect(second.old).toBe(first);
    const { key } = await rotateOwnKey(folder);
    expect((await identity()).id).toBe(key);
    expect(statSync(join(folder, IDENTITY_FILE)).mode & 0o777).toBe(0o600);
    const app = await start();
    const { key: shown, rotations } = await served(app);
    await app.close();
    expect(shown).toBe(key);
    const chain = chainFrom(nodeCrypto, first, rotations, { subject: 'coordinator' });
    expect(chain.map(({ rotation }) => rotation.new)).toEqual([second.key, key]);
  });

  it('writes an audit line, as other acts of operators do', async () => {
    let logged = '';
    const stream = new Writable({
      write(chunk, _, done) {
        logged += chunk;
        done();
      },
    });
    const { old, key } = await rotateOwnKey(folder, { log: pino(stream) });
    expect(JSON.parse(logged)).toMatchObject({ audit: 'coordinator.rotated', old, key });
  });

  it('not more often than a chain may be long, and nothing is begun then', async () => {
    const seeds = Array.from({ length: LIMITS.rotations }, () => nodeRandom(32));
    const keys = [await identity(), ...seeds.map((seed) => identityFromSeed(nodeCrypto, seed))];
    const database = await openDatabase(folder);
    const rows = seeds.map((_, i) => {
      const [from, to] = [keys[i]!, keys[i + 1]!];
      const terms = { subject: 'coordinator', coordinator: from.id, time: 1 } as const;
      const signed = signRotation(nodeCrypto, from, to, terms);
      return `('${from.id}', '${to.id}', ${i + 1}, '${JSON.stringify(signed)}')`;
    });
    database.exec(`INSERT INTO rotations VALUES ${rows.join()}`);
    database.exec(`UPDATE coordinator SET key = '${keys.at(-1)!.id}'`);
    database.close();
    writeFileSync(join(folder, IDENTITY_FILE), `${toBase64(seeds.at(-1)!)}\n`);
    await expect(rotateOwnKey(folder)).rejects.toMatchObject({
      code: 'conflict',
      remedy: expect.stringContaining('NEW-FOLDER'),
    });
    expect(existsSync(join(folder, NEXT_IDENTITY_FILE))).toBe(false);
    expect((await identity()).id).toBe(keys.at(-1)!.id);
  });

  it('not while the coordinator runs, and not in a folder without one', async () => {
    const app = await start();
    await expect(rotateOwnKey(folder)).rejects.toMatchObject({ code: 'already-running' });
    expect((await served(app)).rotations).toEqual([]);
    await app.close();
    await expect(rotateOwnKey(join(folder, 'empty'))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('voids invites that name the old key', async () => {
    await rotateOwnKey(folder);
    const app = await start();
    const { secret, key: coordinator } = decodeInvite(invite);
    const own = identityFromSeed(nodeCrypto, nodeRandom(32));
    const signature = sign(nodeCrypto, own, 'enrol', { coordinator, secret, key: own.id });
    const payload = { secret, key: own.id, signature };
    const response = await app.http.inject({ method: 'POST', url: '/v1/enrol', payload });
    expect([response.statusCode, response.json().code]).toEqual([403, 'invite-invalid']);
    await app.close();
  });
});

describe('a crash', () => {
  /** As far as the database knows the new key. */
  async function halfway(): Promise<string> {
    const [before, after] = [await identity(), await openNextIdentity(folder)];
    const store = await openSqliteStore(folder);
    const terms = { subject: 'coordinator', coordinator: before.id, time: 1 } as const;
    await store.addOwnRotation(signRotation(nodeCrypto, before, after, terms));
    await store.close();
    return after.id;
  }

  it('before the database knows: the old key holds, and the next try takes the same new one', async () => {
    const next = await openNextIdentity(folder);
    const app = await start();
    expect(app.identity.id).toBe(first);
    await app.close();
    expect((await rotateOwnKey(folder)).key).toBe(next.id);
  });

  it('after that is finished by a start, which says so', async () => {
    const key = await halfway();
    const app = await start();
    expect([app.identity.id, (await served(app)).rotations.length]).toEqual([key, 1]);
    expect(app.startUp.join()).toContain('rotation');
    await app.close();
  });

  it('after that is finished by rotate-key, which makes no third key', async () => {
    const key = await halfway();
    expect(await rotateOwnKey(folder)).toEqual({ old: first, key, voided: [] });
    expect((await identity()).id).toBe(key);
  });

  it('and a new key that got lost is told: an old backup of the key is no way back', async () => {
    const old = join(folder, 'old.key');
    copyFileSync(join(folder, IDENTITY_FILE), old);
    await rotateOwnKey(folder);
    copyFileSync(old, join(folder, IDENTITY_FILE));
    rmSync(join(folder, NEXT_IDENTITY_FILE), { force: true });
    await expect(start()).rejects.toMatchObject({
      code: 'storage-failed',
      remedy: expect.stringMatching(/after the rotation/),
    });
    await expect(rotateOwnKey(folder)).rejects.toMatchObject({ code: 'storage-failed' });
  });
});
