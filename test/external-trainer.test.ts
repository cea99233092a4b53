/**
 * The numpy example in its own process against the built-in trainer: the same figures, the same step, and one round
 * together. Needs python3 with numpy; with TRIBUTARY_REQUIRE_PYTHON=1 it is a failure when they are not there.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createExternalTrainer,
  createTfjsTrainer,
  type DataSource,
  digitsPlan,
  initialWeights,
  prepareTopology,
  splitDigits,
  type Trainer,
  type TrainingResult,
} from '@tributary/client-sdk';
import { encodeSafetensors, type ModelWeights, type Plan, parsePlan, toHex } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClients, ended } from './support/clients.ts';
import { startTestCoordinator } from './support/coordinator.ts';

const PROGRAM = fileURLToPath(new URL('../client-sdk/examples/numpy-trainer/trainer.py', import.meta.url));
const seeds = { seed: new Uint8Array(32).fill(1), splitSeed: new Uint8Array(32).fill(2) };

const python = (() => {
  try {
    execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return process.env.TRIBUTARY_REQUIRE_PYTHON === '1';
  }
})();

const IDX = {
  kind: 'idx',
  images: 'train-images.idx3-ubyte',
  labels: 'train-labels.idx1-ubyte',
} as const;

describe.skipIf(!python)('the numpy trainer (needs python3 with numpy)', () => {
  let folder: string;
  const open: { close(): Promise<void> }[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-numpy-'));
    await splitDigits({ partners: 8, out: join(folder, 'digits') });
  });
  afterAll(async () => {
    await Promise.all(open.map((one) => one.close()));
    rmSync(folder, { recursive: true });
  });

  const kept = <T extends { close(): Promise<void> }>(one: T): T => {
    open.push(one);
    return one;
  };
  const partner = (index: number) => join(folder, 'digits', `partner-${index}`);
  // Threads that wait for each other in every small product are slow where others compute as well.
  const env = { OPENBLAS_NUM_THREADS: '1' };
  const numpy = async (cwd: string, data: DataSource) =>
    kept(await createExternalTrainer({ command: ['python3', PROGRAM], cwd, data, env }));
  const tfjs = async (cwd: string, data: DataSource) =>
    kept(await createTfjsTrainer({ folder: cwd, data, engine: 'wasm' }));

  /** As `tributary runs start` prepares it: layers with names. */
  async function named(plan: Plan): Promise<Plan> {
    return { ...plan, model: { topology: await prepareTopology(plan.model.topology, plan.seed) } };
  }

  function expectClose(a: Float32Array, b: Float32Array): void {
    expect(a.length).toBe(b.length);
    expect(a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)).toBeLessThan(1e-5);
  }

  /** One step over all rows: no order of rows, no hold-out, nothing random. */
  async function sameStep(plan: Plan, folder: string, data: DataSource): Promise<void> {
    const weights = await initialWeights(plan);
    const [theirs, ours] = [await numpy(folder, data), await tfjs(folder, data)];
    const [a, b] = [await theirs.evaluate({ plan, weights }), await ours.evaluate({ plan, weights })];
    expect(a).toMatchObject({ count: b.count, metrics: { accuracy: b.metrics.accuracy } });
    expect(a.loss).toBeCloseTo(b.loss, 5);
    expect(a.metrics.meanAbsoluteError).toBeCloseTo(b.metrics.meanAbsoluteError!, 5);
    const task = { plan, weights, ...seeds };
    const [p, q] = [await theirs.train(task), await ours.train(task)];
    expect(p.values).not.toEqual(weights.values);
    expectClose(p.values, q.values);
    expect(p).toMatchObject({ samples: q.samples, holdout: q.holdout });
    expect(p.loss).toBeCloseTo(q.loss, 5);
  }

  it('evaluates and steps as tfjs does, on IDX files with the digits network', async () => {
    const plan = digitsPlan({ partners: 3, holdout: 0, epochs: 1, batch: 2000 });
    const training = { ...plan.training, metrics: ['accuracy' as const, 'meanAbsoluteError' as const] };
    await sameStep(await named({ ...plan, training }), partner(1), IDX);
  });

  it('evaluates and steps as tfjs does, on a CSV file with every transform', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => [
      i % 7,
      ['red', 'green', 'blue', 'mauve'][i % 4],
      i % 5 === 0 ? '' : i / 3,
      i * i,
      i,
      (i * 3) % 11 > 5 ? 'yes' : 'no',
    ]);
    const lines = [['a', 'b', 'c', 'd', 'e', 'ill'], ...rows].map((row) => row.join(';'));
    writeFileSync(join(folder, 'rows.csv'), `\ufeff${lines.join('\r\n')}\r\n`);
    const plan = parsePlan({
      ...digitsPlan({ partners: 3, holdout: 0 }),
      model: {
        topology: {
          class_name: 'Sequential',
          config: {
            layers: [
              {
                class_name: 'Dense',
                config: { units: 5, activation: 'relu', batch_input_shape: [null, 8] },
              },
              { class_name: 'Dense', config: { units: 2, activation: 'softmax' } },
            ],
          },
        },
      },
      features: {
        kind: 'table',
        columns: [
          { name: 'a', transform: { kind: 'identity' } },
          { name: 'b', transform: { kind: 'onehot', categories: ['red', 'green', 'blue'], other: true } },
          { name: 'c', transform: { kind: 'standardise', mean: 6, std: 4 }, missing: 6 },
          { name: 'd', transform: { kind: 'log1p' } },
          { name: 'e', transform: { kind: 'minmax', min: 0, max: 40 } },
        ],
        label: { name: 'ill', kind: 'class', classes: ['no', 'yes'] },
      },
      training: {
        optimizer: { name: 'sgd', learningRate: 0.5 },
        loss: 'sparseCategoricalCrossentropy',
        metrics: ['accuracy', 'meanAbsoluteError'],
        batchSize: 40,
      },
    });
    await sameStep(await named(plan), folder, { kind: 'csv', path: 'rows.csv', delimiter: ';' });
  });

  it('fails with the codes of a trainer, and goes on', async () => {
    const trainer = await numpy(partner(1), { ...IDX, labels: 'none' });
    const plan = await named(digitsPlan({ partners: 3 }));
    const task = { plan, weights: await initialWeights(plan), ...seeds };
    await expect(trainer.train(task)).rejects.toMatchObject({ code: 'data-invalid' });
    copyFileSync(join(partner(1), IDX.labels), join(partner(1), 'none'));
    const adam = { name: 'adam', learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;
    const other = { ...plan, training: { ...plan.training, optimizer: adam } };
    await expect(trainer.train({ ...task, plan: other })).rejects.toMatchObject({ code: 'plan-invalid' });
    const wild = { ...plan.training, optimizer: { name: 'sgd', learningRate: 1000 } as const };
    await expect(trainer.train({ ...task, plan: { ...plan, training: wild } })).rejects.toMatchObject({
      code: 'not-finite',
    });
    const abort = new AbortController();
    const progress: number[] = [];
    const onProgress = (done: number) => {
      progress.push(done);
      abort.abort();
    };
    const long = {
      ...task,
      plan: digitsPlan({ partners: 3, epochs: 1000 }),
      signal: abort.signal,
      onProgress,
    };
    const namedLong = { ...long, plan: await named(long.plan) };
    await expect(trainer.train(namedLong)).rejects.toMatchObject({ name: 'AbortError' });
    expect((await trainer.evaluate(task)).count).toBeGreaterThan(900);
    expect(progress[0]).toBeCloseTo(0.05, 2);
  });

  it('takes part in secure rounds next to two tfjs partners', async () => {
    const coordinator = await startTestCoordinator();
    const clients = createClients(coordinator);
    try {
      const plan = await named(
        parsePlan({
          ...digitsPlan({ partners: 3, rounds: 2, epochs: 1, lr: 0.2 }),
          timing: { patience: 60, grace: 30 },
        }),
      );
      const trainers: Trainer[] = [
        await tfjs(partner(1), IDX),
        await tfjs(partner(2), IDX),
        await numpy(partner(3), IDX),
      ];
      const results: TrainingResult[][] = [[], [], []];
      await clients.gather(3, (index) => ({ trainer: recording(trainers[index]!, results[index]!) }));
      const weights = await initialWeights(plan);
      const { id } = await startRun(plan, weights);
      const run = await coordinator.until(id, ended);
      expect(run).toMatchObject({ status: 'done', round: 2 });
      expect(run.history[0]).toMatchObject({
        participants: expect.arrayContaining(['partner-0', 'partner-1', 'partner-2']),
        engines: { 'partner-2': { name: 'external:numpy', speed: 'medium' } },
      });
      // The published model is the weighted mean of what the three trained in the last round.
      const last = results.map((rounds) => rounds[1]!);
      const total = last.reduce((sum, { samples }) => sum + samples, 0);
      const mean = weights.values.map((_, i) =>
        last.reduce((sum, { samples, values }) => sum + (samples / total) * values[i]!, 0),
      );
      expectMean(await clients.publishedModel(id), mean);
      const accuracy = run.history.map(({ metrics }) => metrics.holdout?.metrics.accuracy ?? 0);
      expect(accuracy[0]).toBeLessThan(0.3);
      expect(accuracy[1]).toBeGreaterThan(0.7);
      // Each of them learnt alike.
      for (const { loss } of last) expect(loss).toBeLessThan(1);
    } finally {
      await clients.close();
      await coordinator.close();
    }

    async function startRun(plan: Plan, weights: ModelWeights): Promise<{ id: string }> {
      const file = encodeSafetensors(weights);
      const model = toHex(nodeCrypto.sha256(file));
      await coordinator.call('PUT', `/v1/blobs/${model}`, file);
      const { status, body } = await coordinator.call('POST', '/v1/runs', { plan, model });
      expect(status).toBe(201);
      return body as { id: string };
    }
  });
});

/** Quantisation in the ring is what differs. */
function expectMean(model: Float32Array, mean: Float32Array): void {
  expect(model.reduce((most, value, i) => Math.max(most, Math.abs(value - mean[i]!)), 0)).toBeLessThan(1e-4);
}

function recording(trainer: Trainer, results: TrainingResult[]): Trainer {
  return {
    ...trainer,
    async train(task) {
      const result = await trainer.train(task);
      results.push({ ...result, values: result.values.slice() });
      return result;
    },
  };
}
