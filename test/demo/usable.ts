/** Whether folder, file and port of the command line can be used, found out before anything is started. */
import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { UsageError } from '../support/usage-error.ts';
import type { DemoOptions } from './options.ts';

/** @throws UsageError */
export async function requireUsable({ data, json, port }: DemoOptions): Promise<void> {
  if (data !== undefined) await requireEmpty(data);
  if (json !== undefined) await requireWritable(json);
  if (port !== 0) await requireFree(port);
}

async function requireEmpty(folder: string): Promise<void> {
  const found = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(
      `--data ${folder} cannot be used as a folder (${error.code}).`,
      'Give another folder.',
    );
  });
  if (found.length > 0)
    throw new UsageError(`--data ${folder} is not empty.`, 'Give a new or an empty folder.');
}

async function requireWritable(file: string): Promise<void> {
  const parent = await stat(dirname(resolve(file))).catch(() => undefined);
  if (!parent?.isDirectory())
    throw new UsageError(
      `--json ${file}: its folder does not exist.`,
      'Make that folder, or give another file.',
    );
  const found = await stat(resolve(file)).catch(() => undefined);
  if (found?.isDirectory()) throw new UsageError(`--json ${file} is a folder.`, 'Give a file.');
}

function requireFree(port: number): Promise<void> {
  return new Promise((done, refuse) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      refuse(
        new UsageError(
          `--port ${port} cannot be used on 127.0.0.1 (${code}).`,
          'Give another port, or leave --port out: any free one is taken.',
        ),
      ),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => done()));
  });
}
