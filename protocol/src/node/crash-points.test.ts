import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CRASH_POINTS } from './crash-points.ts';

const MODULE = join(import.meta.dirname, '../../dist/node/index.js');

/** A process that comes to `recovered` twice, and says how far it got. */
function run(at: string): { signal: NodeJS.Signals | null; out: string; err: string } {
  const code = `const { crashPoint } = await import(${JSON.stringify(MODULE)});
    for (const passage of [1, 2]) { crashPoint('coordinator.recovered'); console.log(passage); }`;
  const { signal, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    env: { ...process.env, TRIBUTARY_CRASH_AT: at },
    encoding: 'utf8',
  });
  return { signal, out: stdout.trim(), err: stderr };
}

describe('A crash point', () => {
  it('kills its process at the passage that was named, and no other does', () => {
    expect(run('coordinator.recovered')).toMatchObject({ signal: 'SIGKILL', out: '' });
    expect(run('coordinator.recovered:2')).toMatchObject({ signal: 'SIGKILL', out: '1' });
    expect(run('coordinator.resumed')).toMatchObject({ signal: null, out: '1\n2' });
    const either = run('coordinator.resumed,coordinator.recovered:2');
    expect(either).toEqual({ signal: 'SIGKILL', out: '1', err: 'crash point coordinator.recovered\n' });
  });

  it('that does not exist is refused at once: a test that crashes nothing would pass', () => {
    for (const at of ['coordinator.nowhere', 'coordinator.recovered:0'])
      expect(run(at)).toMatchObject({
        signal: null,
        out: '',
        err: expect.stringContaining('no crash point'),
      });
  });

  it('has a name of its own', () => {
    expect(new Set(CRASH_POINTS).size).toBe(CRASH_POINTS.length);
  });
});
