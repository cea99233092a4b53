/** `members list`, a telephone call, `members accept`, and a coordinator that lies in between. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Member } from '@tributary/protocol';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { saveEnrolment } from '../../node/enrolment.ts';
import { createIdentity } from '../../node/identity-file.ts';
import { loadPinned } from '../../node/members-file.ts';
import { partnerIdentities } from '../../session/fixtures.ts';
import { EXIT } from '../exit-codes.ts';
import { runInTest } from '../test-io.ts';

const PASSPHRASE = 'correct horse battery staple';
const root = mkdtempSync(join(tmpdir(), 'tributary-members-'));
const [bob, mallory, eve] = partnerIdentities(3).map(({ id }) => id) as [string, string, string];
const partner = (name: string, key: string): Member => ({ name, key, role: 'partner' });
/** What the coordinator says now. */
let says: Member[] = [];
const server = createServer((request, response) => {
  response.end(JSON.stringify(request.url === '/v1/members' ? says : []));
});
let count = 0;
let folder: string;

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true });
});
beforeEach(async () => {
  folder = join(root, `node-${++count}`);
  mkdirSync(folder);
  writeFileSync(
    join(folder, 'node.yaml'),
    'name: ada\nstate: ./state\ndata: { kind: csv, path: rows.csv }\n',
  );
  const { port } = server.address() as { port: number };
  const state = join(folder, 'state');
  await createIdentity(state, PASSPHRASE);
  await saveEnrolment(state, { url: `http://127.0.0.1:${port}`, key: eve, name: 'ada', role: 'partner' });
  says = [partner('bob', bob)];
});

const run = (...words: string[]) =>
  runInTest(['node', 'members', ...words, '--config', join(folder, 'node.yaml')], {
    env: { TRIBUTARY_PASSPHRASE: PASSPHRASE },
  });
const pinned = async () => (await loadPinned(join(folder, 'state'))).map(({ key }) => key);

test('accepts the key that was listed', async () => {
  expect(await run('list')).toMatchObject({ code: EXIT.ok });
  expect(await run('accept', 'bob')).toMatchObject({ code: EXIT.ok });
  expect(await pinned()).toEqual([bob]);
});

test('another key than was listed is not accepted', async () => {
  await run('list');
  says = [partner('bob', mallory)];
  for (const whom of ['bob', '--all']) {
    const { code, err } = await run('accept', whom);
    expect(code).not.toBe(EXIT.ok);
    expect(err).toMatch(/The key of bob changed since it was listed/);
  }
  expect(await pinned()).toEqual([]);
  // The owner has seen it, and compares again.
  await run('list');
  expect(await run('accept', 'bob')).toMatchObject({ code: EXIT.ok });
  expect(await pinned()).toEqual([mallory]);
});

test('nor when the name was away for a while, or only a running node heard of it', async () => {
  await run('list');
  says = [];
  await run('list');
  says = [partner('bob', mallory)];
  expect((await run('accept', 'bob')).code).not.toBe(EXIT.ok);
  expect((await run('accept', 'bob', '--offline')).code).not.toBe(EXIT.ok);
  expect(await pinned()).toEqual([]);
});

test('one name with two keys is accepted under neither', async () => {
  says = [partner('bob', mallory), partner('bob', bob)];
  await run('list');
  for (const whom of ['bob', '--all']) expect((await run('accept', whom)).code).not.toBe(EXIT.ok);
  expect(await pinned()).toEqual([]);
});

test('--all leaves a key that changed to a call by telephone, and does not say that it is accepted', async () => {
  await run('list');
  await run('accept', '--all');
  says = [partner('bob', mallory)];
  await run('list');
  for (const words of [['--all'], ['--all', '--replace']])
    expect((await run('accept', ...words)).out).toMatch(/^Nobody new\. Not accepted are new keys of bob: /);
  expect(await pinned()).toEqual([bob]);
});
