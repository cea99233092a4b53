import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePlan } from '@tributary/protocol';
import { afterAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadCancer } from './cancer.ts';
import { cancerPlan } from './cancer-plan.ts';
import { splitCancer } from './cancer-split.ts';
import { loadDataset } from './load.ts';

const out = mkdtempSync(join(tmpdir(), 'tributary-cancer-'));
afterAll(() => rmSync(out, { recursive: true, force: true }));

it('is the Wisconsin data: 569 rows, 357 B, 212 M, a fifth of each for testing', async () => {
  const { train, test } = await loadCancer();
  const { features } = cancerPlan({ partners: 5 });
  const columns = features.kind === 'table' ? features.columns.map(({ name }) => name) : [];
  expect(train.header.split(',')).toEqual([...columns, 'diagnosis']);
  const malignant = (labels: Uint8Array) => labels.filter((label) => label === 1).length;
  expect([train.lines.length, malignant(train.labels)]).toEqual([456, 170]);
  expect([test.lines.length, malignant(test.labels)]).toEqual([113, 42]);
  const lines = [...train.lines, ...test.lines];
  const mean = (at: number) => lines.reduce((sum, line) => sum + Number(line.split(',')[at]), 0) / 569;
  expect(mean(0)).toBeCloseTo(14.1273, 4);
  expect(mean(29)).toBeCloseTo(0.0839, 4);
});

it('deals every training row once, with files that a node and a plan can read', async () => {
  const manifest = await splitCancer({ partners: 4, out, force: true, seed: 3 });
  const plan = parsePlan(parse(readFileSync(join(out, 'plan.yaml'), 'utf8')));
  expect(plan).toEqual(cancerPlan({ partners: 4, seed: 3 }));
  const dealt: string[] = [];
  for (const name of ['partner-1', 'partner-2', 'partner-3', 'partner-4', 'evaluator']) {
    const folder = join(out, name);
    const { data, policy } = parse(readFileSync(join(folder, 'node.yaml'), 'utf8'));
    const { rows, shape, labels } = await loadDataset(data, plan.features, folder);
    const part = manifest.partners[Number(name.slice(-1)) - 1];
    expect([rows, shape, policy?.minRoster]).toEqual([part?.rows ?? 113, [30], part ? 4 : undefined]);
    if (part) expect(labels.filter((label) => label === 1)).toHaveLength(part.labels[1]!);
    if (part) dealt.push(...readFileSync(join(folder, data.path), 'utf8').trim().split('\n').slice(1));
  }
  expect(dealt.sort()).toEqual([...(await loadCancer()).train.lines].sort());
});
