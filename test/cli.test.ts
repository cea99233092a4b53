/** The operator's side by hand: `tributary` against a real `tributary-server`, in processes of their own, over HTTP. */
import { spawnSync } from 'node:child_process';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPrograms, type Programs, until } from './support/programs.ts';

const CLI = join(import.meta.dirname, '../client-sdk/bin/tributary.js');

let programs: Programs;
let folder: string;
let url: string;
let adminToken: string;

beforeAll(async () => {
  programs = await createPrograms();
  folder = programs.folder;
  const facts = await programs.startServer();
  url = facts.url;
  adminToken = facts.adminToken!;
});
afterAll(() => programs.close());

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe('the operator, by hand', { timeout: 60_000 }, () => {
  it('is told to log in first', async () => {
    const { code, out, err } = await programs.run('runs list');
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('tributary login URL');
  });

  it('cannot log in with a wrong token', async () => {
    const { code, err } = await programs.run(`login ${url} --json`, {
      stdin: 'trib_wrong_token_wrong_token',
    });
    expect(code).toBe(3);
    expect(JSON.parse(err)).toMatchObject({ code: 'unauthenticated' });
    expect(err).not.toContain('trib_wrong');
    expect((await programs.run('status')).code).toBe(3);
  });

  it('logs in, and the token is kept with mode 0600', async () => {
    const login = await programs.json(`login ${url}`, { stdin: `${adminToken}\n` });
    expect(login).toMatchObject({ url, protocol: 1 });
    const path = join(folder, 'config/tributary/credentials.json');
    expect(login.credentials).toBe(path);
    expect(await modeOf(path)).toBe('600');
    expect(await modeOf(join(path, '..'))).toBe('700');
    expect(JSON.parse(await readFile(path, 'utf8')).coordinators[url].token).toBe(adminToken);
    expect(await programs.json('status')).toMatchObject({ url, pinned: true, runs: 0 });
  });

  it('makes, lists and revokes tokens; a role that is not enough is refused with exit code 3', async () => {
    const { token } = await programs.json('tokens create ada --role researcher');
    const env = { TRIBUTARY_TOKEN: token };
    expect(await programs.json('runs list', { env })).toEqual([]);
    const { code, err } = await programs.run('partners invite clinic-x', { env });
    expect(code).toBe(3);
    expect(err).toMatch(/operator/);
    expect((await programs.json('tokens list')).map((each: { name: string }) => each.name).sort()).toEqual([
      'ada',
      'admin',
    ]);
    expect((await programs.run('tokens create ada')).code).toBe(5);
    await programs.json('tokens revoke ada');
    expect((await programs.run('runs list', { env })).code).toBe(3);
    expect((await programs.run('tokens revoke ada')).code).toBe(4);
  });

  it('prints an invite alone on standard output, so that it can be piped', async () => {
    const { out, err } = await programs.run('partners invite piped --ttl 1h');
    expect(out).toMatch(/^tributary-invite:[A-Za-z0-9_-]+\n$/);
    expect(err).toContain('privately');
    expect(err).not.toContain('earlier invite');
    const again = await programs.run('partners invite piped --ttl 1h');
    expect(again.err).toContain('The earlier invite of piped, which nobody had used, is void.');
    expect(again.out).not.toBe(out);
    expect(await programs.json('partners list')).toMatchObject([
      { name: 'piped', status: 'invited', key: null },
    ]);
  });

  it('gets a plan error with its line, before anything is sent', async () => {
    await programs.json('data split digits --partners 3 --out broken');
    const path = join(folder, 'broken/plan.yaml');
    await writeFile(path, (await readFile(path, 'utf8')).replace('rounds: 10', 'rounds: 0'));
    const { code, err } = await programs.run('runs start broken/plan.yaml');
    expect(code).toBe(9);
    expect(err).toMatch(/plan.yaml line \d+: rounds must be >= 1, got 0/);
    expect(await programs.json('runs list')).toEqual([]);
  });

  it('refuses to split data over another split', async () => {
    expect((await programs.run('data split digits --partners 3 --out broken')).code).toBe(5);
  });

  it('sees a run that is cancelled elsewhere: watch ends with exit code 8', async () => {
    await programs.json('data split digits --partners 3 --out digits');
    const run = await programs.json('runs start digits/plan.yaml');
    expect(run).toMatchObject({
      status: 'waiting',
      parameters: 199_210,
      plan: (await programs.json('plan hash digits/plan.yaml')).plan,
    });
    const watch = programs.start(['runs', 'watch', run.id, '--json']);
    await until(() => watch.text.out.includes('"waiting"'));
    expect(await programs.json(`runs cancel ${run.id}`)).toMatchObject({ id: run.id, status: 'cancelled' });
    const { code, out } = await watch.ended;
    expect(code).toBe(8);
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.map(({ kind }) => kind)).toEqual(['started', 'waiting', 'ended']);
    expect((await programs.run(`models pull ${run.id}`)).code).toBe(4);
    expect((await programs.run('runs show nothing-here')).code).toBe(4);
  });

  it('leaves no half of a plan where there is no room for the whole', async () => {
    const sample = join(folder, 'small.csv');
    await writeFile(
      sample,
      `age,y\n${Array.from({ length: 40 }, (_, i) => `${(i * 7) % 40},${i % 2}`).join('\n')}\n`,
    );
    const words = ['plan', 'init', '--data', sample, '-o', join(folder, 'half.yaml')];
    const limited = ['-c', 'ulimit -f 1; exec "$@"', 'sh', process.execPath, CLI, ...words];
    const { status, stderr } = spawnSync('sh', limited, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([1, expect.stringContaining('ulimit -f')]);
    expect(await readdir(folder)).not.toContain('half.yaml');
  });

  it('goes on watching when the coordinator is killed and comes back', async () => {
    const run = await programs.json('runs start digits/plan.yaml');
    const watch = programs.start(['runs', 'watch', run.id]);
    await until(() => watch.text.out.includes('waiting: 0 of 3'));
    await programs.stopServer('SIGKILL');
    await until(() => watch.text.err.includes('Trying again'));
    await programs.startServer(new URL(url).port);
    await until(() => watch.text.err.includes('Connected again'));
    await programs.json(`runs cancel ${run.id}`);
    const { code, out } = await watch.ended;
    expect(code).toBe(8);
    expect(out).toContain(`${run.id}: cancelled`);
  });

  it('leaves a run going on with Ctrl-C: watch ends with exit code 130', async () => {
    const run = await programs.json('runs start digits/plan.yaml');
    const watch = programs.start(['runs', 'watch']);
    await until(() => watch.text.out.includes('waiting: 0 of 3'));
    watch.child.kill('SIGINT');
    expect((await watch.ended).code).toBe(130);
    expect(await programs.json(`runs show ${run.id}`)).toMatchObject({ status: 'waiting' });
    await programs.json(`runs cancel ${run.id}`);
  });

  it('is told that the coordinator is away: exit code 7', async () => {
    const { code } = await programs.run('runs list --url http://127.0.0.1:1', {
      env: { TRIBUTARY_TOKEN: adminToken },
    });
    expect(code).toBe(7);
  });

  it('forgets the token at logout', async () => {
    await programs.json(`login ${url}`, {
      stdin: adminToken,
      env: { XDG_CONFIG_HOME: join(folder, 'other') },
    });
    const env = { XDG_CONFIG_HOME: join(folder, 'other') };
    await programs.json('logout', { env });
    expect(await readFile(join(folder, 'other/tributary/credentials.json'), 'utf8')).not.toContain(
      adminToken,
    );
    expect((await programs.run('logout', { env })).code).toBe(4);
  });

  it('does not use credentials that others can read', async () => {
    const env = { XDG_CONFIG_HOME: join(folder, 'open') };
    await programs.json(`login ${url}`, { stdin: adminToken, env });
    await chmod(join(folder, 'open/tributary/credentials.json'), 0o644);
    const { code, err } = await programs.run('runs list', { env });
    expect(code).toBe(1);
    expect(err).toMatch(/chmod 600/);
  });
});
