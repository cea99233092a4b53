/** The machine of the coordinator: Node, SQLite driver, address and port, clock. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Finding, failed, fine, SOFTWARE_VERSION, warning } from '@tributary/protocol';
import { loadDriver, type SqliteDriver } from '../storage/sqlite/drivers.ts';

const OLDEST = [20, 19] as const;
const TESTED = [20, 22, 24];

export function nodeVersion(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    return failed(
      'node',
      `Node ${version} is too old.`,
      `Install Node ${OLDEST.join('.')} or newer, then \`npm ci\`.`,
    );
  if (!TESTED.includes(major))
    return warning(
      'node',
      `Node ${version}: tested are ${TESTED.join(', ')}.`,
      'If something fails, take one of those.',
    );
  return fine('node', `Node ${version}, Tributary ${SOFTWARE_VERSION}`);
}

export async function sqliteDriver(): Promise<Finding[]> {
  const reasons: string[] = [];
  for (const driver of ['node:sqlite', 'better-sqlite3'] satisfies SqliteDriver[])
    try {
      await loadDriver(driver);
      return [fine('sqlite', driver)];
    } catch (thrown) {
      reasons.push((thrown as Error).message);
    }
  return [
    failed(
      'sqlite',
      reasons.join(' '),
      'Use Node 22.13 or newer; or, where npm blocks install scripts, put `"allowScripts": {"better-sqlite3": true}` into ' +
        'package.json, then `npm rebuild better-sqlite3`.',
    ),
  ];
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

/** @param held a coordinator runs on the data folder: it may be the one that listens there */
export async function address(host: string, port: number, held: boolean): Promise<Finding[]> {
  const findings = LOOPBACK.has(host)
    ? [fine('address', `${host}: this machine only`)]
    : [
        warning(
          'address',
          `${host} is reachable by others, and the coordinator speaks plain HTTP.`,
          'Put a TLS-ending proxy in front: `tributary-server start --host ... --allow-insecure --public-url https://...`.',
        ),
      ];
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
    return [...findings, fine('port', `${port} is free`)];
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' && held)
      return [...findings, fine('port', `${port} is in use, and a coordinator runs on this folder`)];
    const why: Record<string, string> = {
      EADDRINUSE: 'another process listens there',
      EACCES: 'this user may not listen there',
      EADDRNOTAVAIL: 'this machine has no such address',
      ENOTFOUND: 'there is no such host',
    };
    return [
      ...findings,
      failed(
        'port',
        `${host}:${port}: ${why[code ?? ''] ?? code}.`,
        `Choose another one, as in \`tributary-server start --port ${port + 1 > 65_535 ? 8081 : port + 1}\`.`,
      ),
    ];
  } finally {
    server.close();
  }
}

/** When this was written: a clock before that is wrong. */
const NOT_BEFORE = Date.parse('2026-01-01');

/** @param newest latest time in the database, milliseconds; 0 when there is none */
export function clock(now: number, newest: number): Finding {
  const remedy = 'Set the clock: `sudo timedatectl set-ntp true`. Invites and signed requests depend on it.';
  const shown = new Date(now).toISOString();
  if (now < NOT_BEFORE) return failed('clock', `It says ${shown}.`, remedy);
  if (newest > now + 60_000)
    return warning(
      'clock',
      `It says ${shown}, but the database was written at ${new Date(newest).toISOString()}.`,
      remedy,
    );
  return fine('clock', shown);
}
