/** One running node per state folder: two would write one ledger. */
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';

/**
 * A listening local socket is the lock: the kernel drops it with the process, even after SIGKILL, so no stale lock is
 * ever in the way. Linux: abstract socket, no file. Elsewhere a named pipe, or a file under the temporary folder.
 * @returns the release. @throws already-running
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const name = await lockName(folder);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new TributaryError('already-running', `A node is running on ${folder} already.`)
          : new TributaryError('storage-failed', `${folder} cannot be locked (${cause.code}).`, { cause }),
      ),
    );
    server.listen(name, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** Asks without taking it. */
export async function isLocked(folder: string): Promise<boolean> {
  const name = await lockName(folder);
  return new Promise((resolve) => {
    const socket = connect(name);
    const answer = (held: boolean) => {
      socket.destroy();
      resolve(held);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

async function lockName(folder: string): Promise<string> {
  const digest = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex')
    .slice(0, 32);
  if (process.platform === 'linux') return `\0tributary-node-${digest}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\tributary-node-${digest}`;
  return join(tmpdir(), `tributary-node-${digest}.sock`);
}
