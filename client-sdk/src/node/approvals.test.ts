/** What a coordinator may do to the file that holds its owner's decisions, by what it proposes. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Plan } from '@tributary/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hash, hashes, RUN, testPlan } from '../session/fixtures.ts';
import { approvalsPath, listPending, loadDecisions, notePending, refuse } from './approvals.ts';

const MIB = 1024 * 1024;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-approvals-'));
  await notePending(folder, hashes, RUN, testPlan());
  await refuse(folder, hashes.plan);
});
afterEach(() => rmSync(folder, { recursive: true }));

const propose = (name: string, config: unknown): Promise<void> => {
  const plan: Plan = { ...testPlan(), model: { topology: { class_name: 'Sequential', config } } };
  return notePending(folder, { ...hashes, plan: hash(name) }, RUN, plan);
};

test('a small plan, nested deep and wide, does not blow the file up until nobody can read it', async () => {
  let config: unknown = Array(20_000).fill(1);
  for (let depth = 0; depth < 2000; depth++) config = [config];
  await propose('deep', config);
  expect(statSync(approvalsPath(folder)).size).toBeLessThan(MIB);
  expect(await loadDecisions(folder)).toEqual(new Map([[hashes.plan, 'refused']]));
  expect(await listPending(folder)).toHaveLength(1);
});

test('a flood of plans of the greatest size fills neither disk nor memory, and keeps the decisions', async () => {
  // Three bytes of UTF-8 each.
  for (let i = 0; i < 8; i++) await propose(`large ${i}`, '€'.repeat(MIB));
  expect(statSync(approvalsPath(folder)).size).toBeLessThan(16 * MIB);
  expect(await loadDecisions(folder)).toEqual(new Map([[hashes.plan, 'refused']]));
  expect((await listPending(folder)).at(-1)?.plan).toBe(hash('large 7'));
});
