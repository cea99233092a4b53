/** The state folder on disk: key, enrolment, members, approvals, node.yaml, the lock. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64, toBase64 } from '@tributary/protocol';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { hashes, partnerIdentities, plan, RUN } from '../session/fixtures.ts';
import { approve, listApprovals, listPending, loadDecisions, notePending, refuse } from './approvals.ts';
import { loadNodeConfig } from './config.ts';
import { saveEnrolment } from './enrolment.ts';
import { exclusively, makePrivateFolder, writeJson } from './files.ts';
import { createIdentity, loadIdentity, readIdentityKey } from './identity-file.ts';
import { lockFolder } from './lock.ts';
import { acceptMember, listMembers, noteSeen } from './members.ts';
import { loadPinned } from './members-file.ts';

const PASSPHRASE = 'correct horse battery staple';
const root = mkdtempSync(join(tmpdir(), 'tributary-state-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
let folder: string;
beforeEach(() => {
  folder = join(root, `node-${++count}`);
});

describe('identity.json', () => {
  const path = () => join(folder, 'identity.json');
  const edit = (change: (file: Record<string, unknown>) => object) =>
    writeFileSync(path(), JSON.stringify(change(JSON.parse(readFileSync(path(), 'utf8')))));

  test('gives the key back to the passphrase, and to nobody else', async () => {
    const made = await createIdentity(folder, PASSPHRASE);
    expect(await loadIdentity(folder, PASSPHRASE)).toEqual(made);
    expect(await readIdentityKey(folder)).toBe(made.id);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['identity.json']);
    const text = readFileSync(path(), 'utf8');
    for (const secret of [toBase64(made.seed), Buffer.from(made.seed).toString('hex'), PASSPHRASE])
      expect(text).not.toContain(secret);
    await expect(loadIdentity(folder, `${PASSPHRASE}!`)).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('wrong passphrase'),
    });
  });

  test('the same passphrase in another Unicode form opens it', async () => {
    const made = await createIdentity(folder, 'Zu\u0308rich-\u00e9t\u00e9');
    expect((await loadIdentity(folder, 'Z\u00fcrich-e\u0301te\u0301')).id).toBe(made.id);
  });

  test('never replaces a key, and refuses a short passphrase before it makes one', async () => {
    await expect(createIdentity(folder, '7 chars')).rejects.toMatchObject({ code: 'malformed' });
    const made = await createIdentity(folder, PASSPHRASE);
    await expect(createIdentity(folder, PASSPHRASE)).rejects.toMatchObject({ code: 'conflict' });
    expect(await readIdentityKey(folder)).toBe(made.id);
  });

  test('a missing key says how to make one', async () => {
    await expect(loadIdentity(folder, PASSPHRASE)).rejects.toMatchObject({
      code: 'not-found',
      remedy: expect.stringContaining('tributary node init'),
    });
  });

  const flip = (text: unknown) => {
    const bytes = fromBase64(text as string);
    bytes[3]! ^= 1;
    return toBase64(bytes);
  };
  test.each([
    ['the sealed seed', (file: Record<string, unknown>) => ({ ...file, sealed: flip(file.sealed) })],
    ['the nonce', (file: Record<string, unknown>) => ({ ...file, nonce: flip(file.nonce) })],
    [
      'the salt',
      (file: Record<string, unknown>) => {
        const kdf = file.kdf as { salt: string };
        return { ...file, kdf: { ...kdf, salt: flip(kdf.salt) } };
      },
    ],
    ['the public key', (file: Record<string, unknown>) => ({ ...file, key: partnerIdentities(1)[0]!.id })],
  ])('%s was tampered with: forbidden', async (_, change) => {
    await createIdentity(folder, PASSPHRASE);
    edit(change);
    await expect(loadIdentity(folder, PASSPHRASE)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test.each([
    [
      'weaker scrypt parameters',
      (file: Record<string, unknown>) => ({ ...file, kdf: { ...(file.kdf as object), N: 2 } }),
    ],
    [
      'scrypt parameters that eat all memory',
      (file: Record<string, unknown>) => ({ ...file, kdf: { ...(file.kdf as object), N: 2 ** 30 } }),
    ],
    ['another cipher', (file: Record<string, unknown>) => ({ ...file, cipher: 'none' })],
    ['an unknown field', (file: Record<string, unknown>) => ({ ...file, seed: 'x' })],
  ])('%s: storage-failed', async (_, change) => {
    await createIdentity(folder, PASSPHRASE);
    edit(change);
    await expect(loadIdentity(folder, PASSPHRASE)).rejects.toMatchObject({ code: 'storage-failed' });
  });
});

describe('members.json', () => {
  const ada = partnerIdentities(2)[0]!;
  const bob = partnerIdentities(2)[1]!;
  const member = (name: string, key: string) => ({ name, key, role: 'partner' as const });
  const statuses = async () =>
    Object.fromEntries((await listMembers({ folder })).map(({ name, status }) => [name, status]));

  beforeEach(() => createIdentity(folder, PASSPHRASE));

  test('whom the coordinator names is a stranger until accepted', async () => {
    const own = (await readIdentityKey(folder))!;
    await noteSeen(folder, [member('me', own), member('ada', ada.id), member('bob', bob.id)]);
    expect(await statuses()).toEqual({ me: 'self', ada: 'stranger', bob: 'stranger' });
    expect(await loadPinned(folder)).toEqual([]);
    await acceptMember(folder, 'ada', { key: ada.id });
    expect(await statuses()).toEqual({ me: 'self', ada: 'accepted', bob: 'stranger' });
    expect(await loadPinned(folder)).toMatchObject([{ name: 'ada', key: ada.id }]);
    await noteSeen(folder, [member('bob', bob.id)]);
    expect(await statuses()).toEqual({ ada: 'gone', bob: 'stranger' });
  });

  test('a coordinator swaps the key of an accepted partner: noticed, and the old key keeps counting', async () => {
    await noteSeen(folder, [member('ada', ada.id)]);
    await acceptMember(folder, 'ada');
    await noteSeen(folder, [member('ada', bob.id)]);
    expect((await listMembers({ folder })).map(({ key, status }) => [key, status])).toEqual(
      expect.arrayContaining([
        [bob.id, 'changed'],
        [ada.id, 'gone'],
      ]),
    );
    await expect(acceptMember(folder, 'ada')).rejects.toMatchObject({ code: 'conflict' });
    expect(await loadPinned(folder)).toMatchObject([{ key: ada.id }]);
    await acceptMember(folder, 'ada', { key: bob.id, replace: true });
    expect(await loadPinned(folder)).toMatchObject([{ name: 'ada', key: bob.id }]);
  });

  test('a key that changed between listing and accepting is not accepted', async () => {
    await noteSeen(folder, [member('ada', bob.id)]);
    await expect(acceptMember(folder, 'ada', { key: ada.id })).rejects.toMatchObject({ code: 'conflict' });
    await expect(acceptMember(folder, 'eve')).rejects.toMatchObject({ code: 'not-found' });
    expect(await loadPinned(folder)).toEqual([]);
  });

  test('a damaged file is a typed error that names it', async () => {
    writeFileSync(join(folder, 'members.json'), '{"pinned": [');
    await expect(loadPinned(folder)).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining('members.json'),
    });
  });
});

describe('approvals.json', () => {
  beforeEach(() => makePrivateFolder(folder));

  test('pending, approved, refused; a decision stays when the plan is proposed again', async () => {
    await notePending(folder, hashes, RUN, plan);
    expect(await listPending(folder)).toMatchObject([
      { plan: hashes.plan, run: RUN, body: { name: 'digits' } },
    ]);
    expect(await loadDecisions(folder)).toEqual(new Map());
    await approve(folder, hashes.plan);
    await notePending(folder, hashes, 'run-2', plan);
    expect(await loadDecisions(folder)).toEqual(new Map([[hashes.plan, 'approved']]));
    await refuse(folder, hashes.plan);
    expect(await loadDecisions(folder)).toEqual(new Map([[hashes.plan, 'refused']]));
    expect(await listPending(folder)).toEqual([]);
  });

  test.each(['', 'abc', '0'.repeat(64), '..', 'zzzzzzzz'])('no plan is decided by %j', async (hash) => {
    await notePending(folder, hashes, RUN, plan);
    await expect(approve(folder, hash)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('a flood of plans keeps what was approved', async () => {
    await notePending(folder, hashes, RUN, plan);
    await approve(folder, hashes.plan);
    for (let i = 0; i < 60; i++)
      await notePending(folder, { ...hashes, plan: String(i).padStart(64, '0') }, RUN, plan);
    expect(await listApprovals(folder)).toHaveLength(50);
    expect(await loadDecisions(folder)).toEqual(new Map([[hashes.plan, 'approved']]));
  });

  test('two writers at once lose nothing', async () => {
    const plans = Array.from({ length: 12 }, (_, i) => String(i).padStart(64, 'a'));
    await Promise.all(plans.map((hash) => notePending(folder, { ...hashes, plan: hash }, RUN, plan)));
    expect((await listPending(folder)).map((entry) => entry.plan).sort()).toEqual(plans.sort());
  });

  test('a lock that a killed process left behind is taken over', async () => {
    const path = join(folder, 'file.json');
    writeFileSync(`${path}.lock`, '');
    const past = new Date(Date.now() - 60_000);
    utimesSync(`${path}.lock`, past, past);
    await exclusively(path, () => writeJson(path, {}));
    expect(readdirSync(folder).sort()).toEqual(['file.json']);
  });
});

describe('node.yaml', () => {
  const config = () => join(folder, 'node.yaml');
  const write = (text: string) => writeFileSync(config(), text);
  const GOOD =
    'name: partner-1\nstate: ./state\ndata: { kind: csv, path: rows.csv }\npolicy:\n  plans: ask\n';

  beforeEach(async () => {
    await makePrivateFolder(join(folder, 'state'));
    const { id } = partnerIdentities(1)[0]!;
    const enrolment = { url: 'http://127.0.0.1:1', key: id, name: 'partner-1', role: 'partner' } as const;
    await saveEnrolment(join(folder, 'state'), enrolment);
  });

  test('paths are relative to its folder, the policy is filled in', async () => {
    write(GOOD);
    expect(await loadNodeConfig(config())).toMatchObject({
      name: 'partner-1',
      state: join(folder, 'state'),
      folder,
      data: { kind: 'csv', path: 'rows.csv' },
      policy: { role: 'partner', plans: 'ask', minRoster: 5 },
    });
  });

  test('without a policy nothing is allowed', async () => {
    write(GOOD.replace(/policy:[\s\S]*/, ''));
    expect((await loadNodeConfig(config())).policy).toMatchObject({ plans: [] });
  });

  test.each([
    ['another name', GOOD.replace('partner-1', 'partner-2'), 'conflict', /enrolled as partner-1/],
    ['an unknown field', `${GOOD}polcy: {}\n`, 'malformed', /unknown field "polcy"/],
    ['a rule below the floor', `${GOOD}  minRoster: 2\n`, 'malformed', /minRoster .*got 2/],
    ['an unknown kind of data', GOOD.replace('csv', 'sql'), 'malformed', /data/],
    ['no YAML', 'name: [', 'malformed', /node.yaml/],
    ['a key twice', `${GOOD}name: x\n`, 'malformed', /node.yaml/],
    ['aliases that blow up', 'a: &a [x, x]\nb: *a\n', 'malformed', /node.yaml/],
    ['a state folder that is not enrolled', GOOD.replace('./state', './other'), 'not-found', /not enrolled/],
  ])('%s is refused', async (_, text, code, words) => {
    write(text);
    await expect(loadNodeConfig(config())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words),
    });
  });
});

test('one node per state folder, and no stale lock', async () => {
  await makePrivateFolder(folder);
  const release = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'already-running' });
  await release();
  await (await lockFolder(folder))();
});
