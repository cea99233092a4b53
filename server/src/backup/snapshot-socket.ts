/**
 * How a running coordinator, which holds its database alone, gives a consistent copy of it away: a Unix socket in the data
 * folder. Whoever may open it may read the coordinator's key beside it as well, so it needs no password; and no token and
 * no network reaches it, as a route of the HTTP API would: a backup holds the key, which no token may bring out.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { chmod, open, readdir, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { TributaryError } from '@tributary/protocol';
import type { Logger } from 'pino';
import { PRIVATE_FILE } from '../storage/files.ts';

const SOCKET = 'control.sock';
const COPY = /^snapshot-[0-9a-f]{12}\.db(-journal)?$/;
/** sun_path of Linux holds 108 bytes, of macOS 104, with the closing zero. */
const MAX_PATH = 103;

/** Where the socket can be reached: a path that is too long goes by way of the open folder (proc(5)), on Linux. */
function reach(folder: string): { path: string; done(): void } | null {
  const path = join(folder, SOCKET);
  if (process.platform === 'win32') return null;
  if (Buffer.byteLength(path) <= MAX_PATH) return { path, done: () => {} };
  if (process.platform !== 'linux') return null;
  const folderFd = openSync(folder, 'r');
  let open = true;
  const done = () => {
    // A second time it would be somebody else's file.
    if (open) closeSync(folderFd);
    open = false;
  };
  return { path: `/proc/self/fd/${folderFd}/${SOCKET}`, done };
}

export interface SnapshotSocket {
  close(): Promise<void>;
}

export interface OfferOptions {
  readonly folder: string;
  /** Writes a consistent copy of the database into the empty file. */
  readonly copyTo: (file: string) => Promise<void>;
  readonly log: Logger;
}

/** Deletes what a crash left, then listens. Each connection that asks gets one copy, which is deleted when it ends. */
export async function offerSnapshots({ folder, copyTo, log }: OfferOptions): Promise<SnapshotSocket> {
  for (const name of await readdir(folder))
    if (name === SOCKET || COPY.test(name)) await rm(join(folder, name), { force: true });
  const reached = reach(folder);
  if (!reached) {
    log.warn({ folder }, 'no backup while running: the path of the data folder is too long for a socket');
    return { close: async () => {} };
  }
  const sockets = new Set<Socket>();
  let last: Promise<void> = Promise.resolve();
  const server = createServer((socket) => {
    sockets.add(socket);
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => socket.destroy()).resume();
    ended.then(() => sockets.delete(socket));
    socket.once('data', () => {
      // One copy at a time, however many ask.
      last = last.then(() => serve(socket, ended)).catch((err) => log.error({ err }, 'snapshot failed'));
    });
  });

  async function serve(socket: Socket, ended: Promise<void>): Promise<void> {
    if (socket.destroyed) return;
    const name = `snapshot-${randomBytes(6).toString('hex')}.db`;
    const file = join(folder, name);
    try {
      await (await open(file, 'wx', PRIVATE_FILE)).close();
      await copyTo(file);
      log.info({ audit: 'backup.snapshot', name }, 'snapshot taken');
      socket.write(`${JSON.stringify({ name })}\n`);
      await ended;
    } catch (error) {
      if (!(error instanceof TributaryError)) throw error;
      log.error({ err: error }, 'snapshot refused');
      socket.end(`${JSON.stringify({ problem: error.toProblem() })}\n`);
    } finally {
      await rm(file, { force: true });
    }
  }

  await listen(server, reached.path);
  server.unref();
  return {
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      reached.done();
      await last;
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, () => resolve());
  });
  await chmod(path, PRIVATE_FILE);
}

export interface TakenSnapshot {
  readonly file: string;
  /** The coordinator deletes it. */
  release(): void;
}

/** Whether a coordinator runs on the folder: it answers there. */
export async function isServed(folder: string): Promise<boolean> {
  const reached = reach(folder);
  if (!reached) return false;
  const socket = createConnection(reached.path);
  const served = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  socket.destroy();
  reached.done();
  return served;
}

/** Null when no coordinator offers one. @throws what kept the coordinator from making it */
export async function takeSnapshot(folder: string): Promise<TakenSnapshot | null> {
  const reached = reach(folder);
  if (!reached) return null;
  const socket = createConnection(reached.path);
  socket.write('snapshot\n');
  const line = await new Promise<string | null>((resolve) => {
    let text = '';
    socket.on('error', () => resolve(null));
    socket.on('close', () => resolve(null));
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\n')) resolve(text);
    });
  });
  reached.done();
  if (line === null) return null;
  const { name, problem } = JSON.parse(line) as { name?: string; problem?: Problem };
  if (name !== undefined && COPY.test(name))
    return { file: join(folder, name), release: () => socket.destroy() };
  socket.destroy();
  throw new TributaryError(problem?.code ?? 'internal', problem?.message ?? 'No snapshot was made.', {
    ...(problem ? { remedy: problem.remedy } : {}),
  });
}

type Problem = ReturnType<TributaryError['toProblem']>;
