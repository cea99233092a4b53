/** Constants of standardisation from one secure sum: real coordinator, real nodes' clients, real rows. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ApiClient,
  cancerPlan,
  createApiClient,
  createTfjsTrainer,
  fetchMoments,
  initialWeights,
  momentsPlan,
  splitCancer,
  standardise,
  type Trainer,
} from '@tributary/client-sdk';
import { encodeSafetensors, type Plan, parsePlan, type RunDetail } from '@tributary/protocol';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClients, ended, type TestClients } from './support/clients.ts';
import { startTestCoordinator, type TestCoordinator } from './support/coordinator.ts';

const PARTNERS = 3;
const folder = mkdtempSync(join(tmpdir(), 'tributary-moments-'));
let coordinator: TestCoordinator;
let clients: TestClients;
let api: ApiClient;
let trainers: Trainer[];

/** Columns of all partners' rows together. */
let pooled: ReadonlyMap<string, readonly number[]>;
const cancer = cancerPlan({ partners: PARTNERS });
const plan = parsePlan({ ...cancer, timing: { patience: 20, grace: 20, maximum: 60 } });

beforeAll(async () => {
  await splitCancer({ partners: PARTNERS, out: folder, force: true });
  const folders = Array.from({ length: PARTNERS }, (_, i) => join(folder, `partner-${i + 1}`));
  pooled = columnsOf(folders.map((each) => readFileSync(join(each, 'train.csv'), 'utf8')));
  const data = { kind: 'csv', path: 'train.csv' } as const;
  trainers = await Promise.all(
    folders.map((each) => createTfjsTrainer({ data, folder: each, engine: 'wasm' })),
  );
  coordinator = await startTestCoordinator();
  api = createApiClient({ url: coordinator.url, token: coordinator.app.adminToken! });
  clients = createClients(coordinator);
  await clients.gather(PARTNERS, (index) => ({ trainer: trainers[index]! }));
});
afterAll(async () => {
  await clients.close();
  await Promise.all(trainers.map((trainer) => trainer.close()));
  await coordinator.close();
  rmSync(folder, { recursive: true, force: true });
});

function columnsOf(files: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const [header = ''] = files[0]!.split('\n');
  const rows = files.flatMap((file) => file.trim().split('\n').slice(1));
  return new Map(header.split(',').map((name, at) => [name, rows.map((row) => Number(row.split(',')[at]))]));
}

/** In two passes and float64: what the secure sum is measured against. */
function exact(values: readonly number[]) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, std: Math.sqrt(variance) };
}

async function run(asked: Plan): Promise<RunDetail> {
  const model = await api.putBlob(encodeSafetensors(await initialWeights(asked)));
  const { id } = await api.startRun({ plan: asked, model });
  return coordinator.until(id, ended);
}

test('the pooled mean and spread come out of one sum, and become the constants of the plan', async () => {
  const detail = await run(momentsPlan(plan));
  expect(detail).toMatchObject({ status: 'done', aggregation: 'secure' });
  const [record] = detail.history;
  expect(record!.participants).toHaveLength(PARTNERS);
  expect(record!.metrics).toMatchObject({ weight: PARTNERS, clipped: 0, holdout: null });
  const moments = await fetchMoments(api, detail.id);
  expect(moments.rows).toBe(456);
  expect(moments.columns).toHaveLength(30);
  for (const { name, mean, std, error } of moments.columns) {
    const own = exact(pooled.get(name)!);
    expect(Math.abs(mean - own.mean) / own.std, name).toBeLessThan(1e-5);
    expect(Math.abs(std / own.std - 1), name).toBeLessThan(error);
    expect(error, name).toBeLessThan(1e-4);
  }
  const { features } = standardise(plan, moments);
  if (features.kind !== 'table') throw new Error('The plan is no longer one of a table.');
  for (const { name, transform } of features.columns) {
    if (transform.kind !== 'standardise') throw new Error(`${name} is not standardised.`);
    const own = exact(pooled.get(name)!);
    expect(Math.abs(transform.std / own.std - 1), name).toBeLessThan(1e-4);
    expect(Math.abs(transform.mean - own.mean) / own.std, name).toBeLessThan(1e-4);
  }
});

test('the same question is answered once: whoever sent its sums sits out', async () => {
  const asked = momentsPlan(plan);
  const model = await api.putBlob(encodeSafetensors(await initialWeights(asked)));
  const { id } = await api.startRun({ plan: asked, model });
  let reason = '';
  for await (const { kind, data } of api.events(id, 0)) {
    if (kind === 'waiting' || kind === 'ended') reason = String(data.reason);
    if (kind === 'ended' || /sits? out/.test(reason)) break;
  }
  await api.cancelRun(id);
  expect(reason).toMatch(/sits? out, having sent a vector on this base model already/);
});

test('sums above the clip are refused, and say what to change', async () => {
  // 152 rows at each partner.
  const { id, status } = await run(momentsPlan(plan, { rows: 20 }));
  expect(status).toBe('done');
  await expect(fetchMoments(api, id)).rejects.toMatchObject({
    code: 'data-invalid',
    message: expect.stringContaining('3 of 3 partners had sums above the plan'),
    remedy: expect.stringContaining('--rows N'),
  });
});
