import { chmod, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { credentialsPath, readCredentials, removeLogin, saveLogin } from './credentials.ts';

const KEY = 'A'.repeat(43);
const login = { token: 'secret-token-of-ada', key: KEY, allowInsecure: false };
let env: { XDG_CONFIG_HOME: string };

beforeEach(async () => {
  env = { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'tributary-cli-')) };
});

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe('credentials', () => {
  it('are kept in a file of mode 0600 in a folder of mode 0700, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await saveLogin(env, 'http://127.0.0.1:1', login);
    } finally {
      process.umask(before);
    }
    const path = credentialsPath(env);
    expect(path).toBe(join(env.XDG_CONFIG_HOME, 'tributary', 'credentials.json'));
    expect(await modeOf(path)).toBe('600');
    expect(await modeOf(join(path, '..'))).toBe('700');
    expect(await readdir(join(path, '..'))).toEqual(['credentials.json']);
  });

  it('remember every coordinator and use the last one', async () => {
    await saveLogin(env, 'https://a.example', login);
    await saveLogin(env, 'https://b.example', { ...login, token: 'secret-token-of-bob' });
    const { current, coordinators } = await readCredentials(env);
    expect(current).toBe('https://b.example');
    expect(coordinators['https://a.example']?.token).toBe('secret-token-of-ada');
    expect(await removeLogin(env, 'https://b.example')).toBe(true);
    expect((await readCredentials(env)).current).toBe('https://a.example');
    expect(await removeLogin(env, 'https://b.example')).toBe(false);
  });

  it('are refused when others could read them', async () => {
    await saveLogin(env, 'http://127.0.0.1:1', login);
    await chmod(credentialsPath(env), 0o644);
    await expect(readCredentials(env)).rejects.toThrow(/mode 644/);
  });

  it.each([
    ['cut off', '{"version":1,"current":"x","token":"secret-token'],
    ['of another shape', '{"version":1,"current":null,"coordinators":{"x":{"token":"secret-token"}}}'],
  ])('that are %s are reported without quoting a token', async (_, text) => {
    await saveLogin(env, 'http://127.0.0.1:1', login);
    await writeFile(credentialsPath(env), text);
    const error = await readCredentials(env).catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/is damaged/);
    expect(JSON.stringify(error)).not.toContain('secret-token');
  });

  it('are empty before the first login', async () => {
    expect(await readCredentials(env)).toEqual({ version: 1, current: null, coordinators: {} });
  });
});
