/** The command line of the coordinator, with wrong input: exit code 2, the reason, and nothing started. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApp, createLog } from '@tributary/server';
import { expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/tributary-server.js', import.meta.resolve('@tributary/server')));
const folder = join(tmpdir(), `tributary-never-made-${process.pid}`);

it.each([
  ['start', '--data'],
  [`start --data ${folder} --prot 3`, 'no option --prot'],
  [`start --data ${folder} --port 99999`, 'not 99999'],
  [`start --data ${folder} --host 0.0.0.0`, '--allow-insecure'],
  [`start --data ${folder} --log-level loud`, 'not loud'],
  [`start --data ${folder} --public-url fl.example.org`, 'https://'],
  ['strat', 'strat'],
])('tributary-server %s', (line, reason) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...line.split(' ')], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain(reason);
  expect(stderr).not.toContain('\u001b');
  expect(existsSync(folder)).toBe(false);
});

it('a first start that finds its port taken shows no token, and the next one does', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const options = { folder, log: createLog('silent') };
  try {
    const first = await createApp(options);
    await expect(first.listen({ host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'unavailable' });
    await first.close();
    const second = await createApp(options);
    expect(second.adminToken).toMatch(/^trib_/);
    await second.close();
  } finally {
    other.close();
    await rm(folder, { recursive: true });
  }
});
