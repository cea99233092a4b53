import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('opens a database without a word, and leaves other warnings alone', () => {
  const drivers = new URL('../../../dist/storage/sqlite/drivers.js', import.meta.url);
  const script = `
    const { loadDriver } = await import(${JSON.stringify(drivers)});
    (await loadDriver())(':memory:').close();
    process.emitWarning('SQLite of another module', 'ExperimentalWarning');`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  expect(stderr.match(/ExperimentalWarning: .*/g)).toEqual(['ExperimentalWarning: SQLite of another module']);
});
