import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

it.each(['server/bin/tributary-server.js', 'client-sdk/bin/tributary.js'])(
  '%s says that it is not built, without a stack',
  (program) => {
    const folder = mkdtempSync(join(tmpdir(), 'tributary-not-built-'));
    mkdirSync(join(folder, 'bin'));
    const copy = join(folder, 'bin/program.mjs');
    copyFileSync(join(ROOT, program), copy);
    const { status, stderr } = spawnSync(process.execPath, [copy], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^error: .*\nnext: .*`npm run build`.*\n$/)]);
  },
);
