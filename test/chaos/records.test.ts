import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openNodeLog } from './log.ts';
import { createRecords } from './records.ts';

const folder = mkdtempSync(join(tmpdir(), 'tributary-records-'));
afterAll(() => rmSync(folder, { recursive: true }));

const WHERE = { id: 'a', run: 'run-1', round: 2, attempt: 1 };
const UPLOADED = { type: 'uploaded', id: 'a', sha256: 'b' } as const;

/** A node that was acknowledged, and left. */
function acknowledged(code: string) {
  const home = mkdtempSync(join(folder, 'node-'));
  const violations: string[] = [];
  const records = createRecords(new Map([['node', home]]), (text) => violations.push(text));
  const log = openNodeLog(home);
  log({ type: 'announced', ...WHERE });
  log(UPLOADED);
  log({ type: 'left', id: 'a', code, message: '' });
  records.read();
  expect(violations).toEqual([]);
  return records;
}

it.each([
  ['sits-out', false],
  ['unavailable', false],
  ['policy-refused', true],
])('an update that was acknowledged may be missing in a sum after %s: %s', (code, withdrawn) => {
  const attempt = acknowledged(code).attempts.get('a')!;
  expect(attempt.acknowledged.has('node')).toBe(true);
  expect(attempt.withdrawn.has('node')).toBe(withdrawn);
});

it('a node that is suspended may be missing in rounds that are open then, and in no other', () => {
  for (const [round, withdrawn] of [
    [2, true],
    [3, false],
  ] as const) {
    const records = acknowledged('sits-out');
    records.revoked('node', { run: 'run-1', round });
    expect(records.attempts.get('a')!.withdrawn.has('node')).toBe(withdrawn);
  }
});
