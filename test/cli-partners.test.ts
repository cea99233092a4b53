/** The partners' side by hand: three nodes with keys, pins and policies of their own, two rounds, and the model taken away. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeSafetensors } from '@tributary/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrograms, type Programs, until } from './support/programs.ts';

const PARTNERS = ['partner-1', 'partner-2', 'partner-3'];

let programs: Programs;
const configOf = (name: string) => `--config digits/${name}/node.yaml`;

beforeAll(async () => {
  programs = await createPrograms();
  const { url, adminToken } = await programs.startServer();
  await programs.json(`login ${url}`, { stdin: adminToken! });
  await programs.json('data split digits --partners 3 --out digits');
  const plan = join(programs.folder, 'digits/plan.yaml');
  const text = await readFile(plan, 'utf8');
  await writeFile(plan, text.replace('rounds: 10', 'rounds: 2').replace('epochs: 5', 'epochs: 1'));
});
afterAll(() => programs.close());

async function inviteOf(name: string): Promise<string> {
  return (await programs.json(`partners invite ${name}`)).invite;
}

describe('partners, by hand', { timeout: 120_000 }, () => {
  it('enrol; the key is encrypted at rest, in a folder that nobody else can read', async () => {
    for (const name of PARTNERS) {
      const made = await programs.json(`node init ${await inviteOf(name)} --dir digits/${name}`);
      expect(made).toMatchObject({ name, role: 'partner', config: `digits/${name}/node.yaml` });
    }
    const state = join(programs.folder, 'digits/partner-1/state');
    expect(((await stat(state)).mode & 0o777).toString(8)).toBe('700');
    for (const file of await readdir(state)) {
      expect(((await stat(join(state, file))).mode & 0o777).toString(8)).toBe('600');
      expect(await readFile(join(state, file), 'utf8')).not.toContain('correct horse battery');
    }
  });

  it('cannot use an invite twice, one for another name, or half of one', async () => {
    const [invite, other] = [await inviteOf('clinic-x'), await inviteOf('clinic-y')];
    expect((await programs.run(`node init ${invite} --dir x`)).code).toBe(0);
    expect(await readFile(join(programs.folder, 'x/node.yaml'), 'utf8')).toContain('name: clinic-x');
    expect((await programs.run(`node init ${invite} --dir again`)).code).toBe(3);
    expect((await programs.run(`node init ${other} --dir digits/partner-1`)).code).toBe(5);
    expect((await programs.run(`node init ${other.slice(0, 60)} --dir y`)).code).toBe(3);
    expect((await programs.run('partners suspend clinic-x')).code).toBe(0);
  });

  it('need their passphrase, and are not told it by the error', async () => {
    const env = { TRIBUTARY_PASSPHRASE: 'wrong horse battery' };
    const { code, err } = await programs.run(`node members list ${configOf('partner-1')}`, { env });
    expect(code).toBe(3);
    expect(err).toMatch(/wrong passphrase/);
    const none = await programs.run(`node members list ${configOf('partner-1')}`, {
      env: { TRIBUTARY_PASSPHRASE: '' },
    });
    expect(none.code).toBe(2);
    expect(none.err).toMatch(/TRIBUTARY_PASSPHRASE/);
  });

  it('list and accept each other by fingerprint', async () => {
    const listed = await programs.json(`node members list ${configOf('partner-1')}`);
    const known = await programs.json('partners list');
    for (const { name, fingerprint, status } of listed) {
      expect(fingerprint).toBe(known.find((each: { name: string }) => each.name === name).fingerprint);
      expect(status).toBe(name === 'partner-1' ? 'self' : 'stranger');
    }
    expect((await programs.run(`node members accept nobody ${configOf('partner-1')}`)).code).toBe(4);
    expect((await programs.run(`node members accept ${configOf('partner-1')}`)).code).toBe(2);
    for (const name of PARTNERS) {
      const others = PARTNERS.filter((other) => other !== name);
      const accepted = await programs.json(`node members accept ${others.join(' ')} ${configOf(name)}`);
      expect(accepted.map((each: { name: string }) => each.name)).toEqual(others);
    }
    const after = await programs.json(`node members list --offline ${configOf('partner-1')}`);
    expect(after.find((each: { name: string }) => each.name === 'partner-2').status).toBe('accepted');
  });

  it('train two rounds after their owners said yes, leave cleanly, and the model is taken away', async () => {
    const nodes = PARTNERS.map((name) =>
      programs.start(['node', 'start', ...configOf(name).split(' '), '--json']),
    );
    const eventsOf = (index: number) =>
      nodes[index]!.text.out.split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    const kindsOf = (index: number) => new Set(eventsOf(index).map(({ event }) => event));
    await until(() => PARTNERS.every((_, index) => kindsOf(index).has('connected')));
    expect(eventsOf(0)[0]).toMatchObject({ event: 'started', name: 'partner-1', engine: 'wasm' });
    expect(eventsOf(0)[0].remarks).toContainEqual(expect.stringContaining('no drop-out is survived'));

    const run = await programs.json('runs start digits/plan.yaml');
    await until(async () => (await programs.json(`node pending ${configOf('partner-1')}`)).length === 1);
    const words = (await programs.run(`node pending ${configOf('partner-1')}`)).out;
    expect(words).toContain(run.plan);
    expect(words).toContain('Dense 10 softmax; 199,210 parameters');
    expect((await programs.run(`node approve 0000 ${configOf('partner-1')}`)).code).toBe(2);
    expect((await programs.run(`node approve ${'0'.repeat(64)} ${configOf('partner-1')}`)).code).toBe(4);
    for (const name of PARTNERS) {
      await until(async () => (await programs.json(`node pending ${configOf(name)}`)).length === 1);
      const decided = await programs.json(`node approve ${run.plan} ${configOf(name)}`);
      expect(decided).toMatchObject({ plan: run.plan, state: 'approved' });
    }
    const watch = await programs.run(`runs watch ${run.id}`);
    expect(watch.code).toBe(0);
    expect(watch.out).toMatch(
      /round 2 published: sum of 3 partners; the model it started from, on the hold-outs: accuracy 0\.\d{4}/,
    );

    nodes[0]!.child.kill('SIGINT');
    nodes[1]!.child.kill('SIGTERM');
    nodes[2]!.child.kill('SIGKILL');
    expect((await nodes[0]!.ended).code).toBe(0);
    expect((await nodes[1]!.ended).code).toBe(0);
    await nodes[2]!.ended;
    for (const index of [0, 1]) expect(eventsOf(index).at(-1)).toMatchObject({ event: 'left' });
    for (const kind of ['consent', 'announced', 'progress', 'uploading', 'unmasked', 'published'])
      expect(kindsOf(2)).toContain(kind);

    const pulled = await programs.json(`models pull ${run.id} --out model`);
    const file = new Uint8Array(await readFile(join(programs.folder, 'model/model.safetensors')));
    expect(pulled).toMatchObject({ run: run.id, round: 2 });
    expect(decodeSafetensors(file).model.values.length).toBe(199_210);
    const { modelTopology } = JSON.parse(await readFile(join(programs.folder, 'model/model.json'), 'utf8'));
    expect(modelTopology).toEqual((await programs.json(`runs show ${run.id}`)).planBody.model.topology);
    expect((await programs.run(`models pull ${run.id} --out model`)).code).toBe(5);
    expect((await programs.run(`models pull ${run.id} --round 3`)).code).toBe(4);
    expect(
      (await programs.json(`models list ${run.id}`)).map((model: { round: number }) => model.round),
    ).toEqual([1, 2]);
    // A newer run that has no model is not what somebody wants who asks for the latest one.
    const other = await programs.json('runs start digits/plan.yaml');
    await programs.json(`runs cancel ${other.id}`);
    expect(await programs.json('models pull --out latest')).toMatchObject({ run: run.id, round: 2 });
  });

  it('can say no, also afterwards', async () => {
    const { plan } = await programs.json('plan hash digits/plan.yaml');
    const decided = await programs.json(`node refuse ${plan.toUpperCase()} ${configOf('partner-1')}`);
    expect(decided).toMatchObject({ plan, state: 'refused' });
  });

  it('whose rows are not where node.yaml says are refused at the start: exit code 9', async () => {
    const { code, err } = await programs.run('node start --config x/node.yaml');
    expect(code).toBe(9);
    expect(err).toMatch(/does not exist.*\nnext: .*node\.yaml/);
    await writeFile(join(programs.folder, 'x/data.csv'), 'age,label\n1,a\n', { mode: 0o600 });
  });

  it('whose key was suspended are told so at the start: exit code 3', async () => {
    const { code, err } = await programs.run('node start --config x/node.yaml');
    expect(code).toBe(3);
    expect(err).toMatch(/suspended/);
  });

  it.skipIf(process.platform === 'win32')(
    'leave nothing that another user could read, nor does the coordinator',
    async () => {
      const folders = ['coordinator', 'x', ...PARTNERS.map((name) => `digits/${name}/state`)];
      const open: string[] = [];
      for (const folder of folders) {
        const root = join(programs.folder, folder);
        const entries = await readdir(root, { recursive: true });
        expect(entries.length).toBeGreaterThan(3);
        for (const path of ['.', ...entries]) {
          const { mode } = await stat(join(root, path));
          if ((mode & 0o077) !== 0) open.push(`${folder}/${path} ${(mode & 0o777).toString(8)}`);
        }
      }
      expect(open).toEqual([]);
    },
  );
});
