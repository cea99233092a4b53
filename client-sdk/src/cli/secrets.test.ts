import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readPassphrase } from './secrets.ts';
import { createTestIo } from './test-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.skipIf(process.platform === 'win32')(
  'a passphrase file that others can read is told, and used',
  async () => {
    const file = join(folder, 'passphrase');
    writeFileSync(file, 'correct horse\n');
    for (const mode of [0o644, 0o600]) {
      chmodSync(file, mode);
      const io = createTestIo();
      expect(await readPassphrase({ io, json: false }, file, '', { twice: false })).toBe('correct horse');
      const said = io.written().err;
      expect(said).toMatch(mode === 0o600 ? /^$/ : /has mode 644.*chmod 600/);
      expect(said).not.toContain('horse');
    }
  },
);
