/**
 * Where a person is logged in: token and pinned key per coordinator, in one file that nobody else can read.
 * Tokens are stored as they are, like those of other command lines: the file's mode is their protection.
 */
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Closed, Key, TributaryError, validate } from '@tributary/protocol';
import { type Static, Type } from '@tributary/protocol/typebox';
import type { Io } from './io.ts';

const Login = Closed({
  token: Type.String({ minLength: 1 }),
  /** Identity key of the coordinator at the first login. */
  key: Key,
  /** Plain HTTP to another machine was accepted at login. */
  allowInsecure: Type.Boolean(),
});
export type Login = Static<typeof Login>;

const Credentials = Closed({
  version: Type.Literal(1),
  /** URL that commands use unless told otherwise. */
  current: Type.Union([Type.String(), Type.Null()]),
  coordinators: Type.Record(Type.String(), Login),
});
export type Credentials = Static<typeof Credentials>;

const NOBODY: Credentials = { version: 1, current: null, coordinators: {} };

export function credentialsPath(env: Io['env']): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'tributary', 'credentials.json');
}

/** @throws storage-failed when the file is damaged, or readable by others */
export async function readCredentials(env: Io['env']): Promise<Credentials> {
  const path = credentialsPath(env);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOBODY;
    throw error;
  }
  const mode = (await stat(path)).mode & 0o777;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw new TributaryError(
      'storage-failed',
      `${path} has mode ${mode.toString(8)}: others may have read your token.`,
      {
        remedy: `Run \`chmod 600 ${path}\`, and ask for a new token if somebody else uses this machine.`,
      },
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  try {
    return validate(Credentials, value, path);
  } catch {
    // The reason would quote the file, which holds tokens.
    throw new TributaryError('storage-failed', `${path} is damaged.`, {
      remedy: 'Delete it and log in again.',
    });
  }
}

/** Written beside and renamed, so that a crash leaves the old file or the new one. */
async function writeCredentials(env: Io['env'], credentials: Credentials): Promise<void> {
  const path = credentialsPath(env);
  const folder = join(path, '..');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flag: 'w' });
  await rename(draft, path);
}

export async function saveLogin(env: Io['env'], url: string, login: Login): Promise<void> {
  const { coordinators } = await readCredentials(env);
  await writeCredentials(env, { version: 1, current: url, coordinators: { ...coordinators, [url]: login } });
}

/** @returns false when nobody was logged in there */
export async function removeLogin(env: Io['env'], url: string): Promise<boolean> {
  const { current, coordinators } = await readCredentials(env);
  if (!(url in coordinators)) return false;
  const { [url]: _, ...others } = coordinators;
  const next = current === url ? (Object.keys(others)[0] ?? null) : current;
  await writeCredentials(env, { version: 1, current: next, coordinators: others });
  return true;
}
