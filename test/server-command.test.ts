/** The command line of the coordinator, with wrong input: exit code 2, the reason, and nothing started. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/tributary-server.js', import.meta.resolve('@tributary/server')));
const folder = join(tmpdir(), `tributary-never-made-${process.pid}`);

it.each([
  ['start', '--data'],
  [`start --data ${folder} --prot 3`, 'no option --prot'],
  [`start --data ${folder} --port 99999`, 'not 99999'],
  [`start --data ${folder} --host 0.0.0.0`, '--allow-insecure'],
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
