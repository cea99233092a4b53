import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import { env } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-layers';
import { parsePlan } from '@tributary/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadDigits } from './digits.ts';
import { digitsPlan, weightCapFor } from './digits-plan.ts';
import { loadDataset } from './load.ts';
import { splitDigits } from './split.ts';

env().set('IS_TEST', true); // no banner about faster backends

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tributary-split-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function nodeFile(folder: string) {
  return parse(await readFile(join(folder, 'node.yaml'), 'utf8'));
}

describe('loadDigits', () => {
  it('gives 7,996 training and 2,004 test digits in bytes, the first 80 % of each digit for training', async () => {
    const { train, test } = await loadDigits();
    expect([train.rows, test.rows]).toEqual([7996, 2004]);
    expect([train.images.length, test.images.length]).toEqual([7996 * 784, 2004 * 784]);
    const counts = Array.from({ length: 10 }, (_, d) => train.labels.filter((l) => l === d).length);
    expect(counts).toEqual([800, 901, 792, 825, 784, 690, 811, 856, 755, 782]);
    // The first strokes of the first zero, as MNIST itself has them.
    const first = train.images.findIndex((byte) => byte > 0);
    expect([...train.images.subarray(first, first + 6)]).toEqual([51, 159, 253, 159, 50, 0]);
  });
});

describe('splitDigits', () => {
  it('deals every training digit once and gives the evaluator the 2,004', async () => {
    const out = join(root, 'five');
    const manifest = await splitDigits({
      partners: 5,
      out,
      partition: { kind: 'dirichlet', alpha: 0.5 },
      seed: 7,
    });
    const plan = parsePlan(parse(await readFile(join(out, 'plan.yaml'), 'utf8')));
    const checksums: number[] = [];
    for (const [i, expected] of manifest.partners.entries()) {
      const folder = join(out, `partner-${i + 1}`);
      const { data, name, policy } = await nodeFile(folder);
      expect([name, policy.minRoster, policy.plans]).toEqual([`partner-${i + 1}`, 5, 'ask']);
      const rows = await loadDataset(data, plan.features, folder);
      expect([rows.rows, rows.shape]).toEqual([expected.rows, [28, 28, 1]]);
      const labels = expected.labels.map((_, digit) => rows.labels.filter((l) => l === digit).length);
      expect(labels).toEqual(expected.labels);
      for (let r = 0; r < rows.rows; r++) checksums.push(checksum(rows.features, r));
    }
    const { train } = await loadDigits();
    const all = Float32Array.from(train.images, (byte) => byte / 255);
    expect(checksums.sort()).toEqual(Array.from({ length: 7996 }, (_, r) => checksum(all, r)).sort());
    const evaluator = await nodeFile(join(out, 'evaluator'));
    const test = await loadDataset(evaluator.data, plan.features, join(out, 'evaluator'));
    expect(test.rows).toBe(2004);
    expect(JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))).toEqual(manifest);
    expect(manifest).toMatchObject({ scheme: 'dirichlet:0.5', seed: 7, rows: 7996 });
    const largest = Math.max(...manifest.partners.map((p) => p.rows));
    expect(plan).toEqual(digitsPlan({ partners: 5, seed: 7, largest }));
    expect(plan.aggregation.weightCap).toBeGreaterThanOrEqual(largest);
  });

  it('tells three partners what three means, and five not', async () => {
    const out = join(root, 'three');
    await splitDigits({ partners: 3, out });
    const text = await readFile(join(out, 'partner-3', 'node.yaml'), 'utf8');
    expect(text).toContain('minRoster: 3 ');
    expect(text).toContain('no drop-out survived, and two partners together know the third');
    expect(parse(text)).toEqual({
      name: 'partner-3',
      state: './state',
      data: { kind: 'idx', images: 'train-images.idx3-ubyte', labels: 'train-labels.idx1-ubyte' },
      policy: { plans: 'ask', aggregation: 'secure', minRoster: 3, minSum: 3, collusion: 1, maxRounds: 100 },
    });
    expect(await readFile(join(root, 'five', 'partner-3', 'node.yaml'), 'utf8')).not.toContain('drop-out');
  });

  it('writes the same bytes for the same seed and others for another', async () => {
    const read = (folder: string) => readFile(join(root, folder, 'partner-2', 'train-labels.idx1-ubyte'));
    await splitDigits({ partners: 3, out: join(root, 'again') });
    await splitDigits({ partners: 3, out: join(root, 'other'), seed: 2 });
    expect(await read('again')).toEqual(await read('three'));
    expect(await read('other')).not.toEqual(await read('three'));
  });

  it('replaces nothing without force, and with force leaves no partner of a larger split behind', async () => {
    const out = join(root, 'five');
    await expect(splitDigits({ partners: 5, out })).rejects.toMatchObject({ code: 'conflict' });
    await expect(splitDigits({ partners: 4, out, force: true })).rejects.toThrow('partner-5');
    await splitDigits({ partners: 5, out, force: true });
    expect(JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')).scheme).toBe('iid');
    const file = join(out, 'plan.yaml');
    await expect(splitDigits({ partners: 3, out: file })).rejects.toMatchObject({ code: 'storage-failed' });
  });

  it.each([
    [2, /with two, the sum tells/],
    [-1, /too few/],
    [3.5, /too few/],
    [Number.NaN, /too few/],
    [129, /the limit of one cohort is 128/],
  ])('refuses %d partners with the reason', async (partners, reason) => {
    await expect(splitDigits({ partners, out: join(root, 'never') })).rejects.toThrow(reason);
  });
});

describe('digitsPlan', () => {
  it('holds a network of 199,210 parameters that tfjs builds', async () => {
    const { topology } = digitsPlan({ partners: 5 }).model;
    const model = await tf.models.modelFromJSON({ modelTopology: topology as never });
    expect(model.countParams()).toBe(784 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10);
    expect(model.inputs[0]!.shape).toEqual([null, 28, 28, 1]);
    expect(model.outputs[0]!.shape).toEqual([null, 10]);
    model.dispose();
  });

  it('takes every figure that the demo sets, and caps weights above the largest partner', () => {
    const options = { partners: 4, rounds: 3, epochs: 2, batch: 20, lr: 0.05, seed: 9, holdout: 0 };
    expect(digitsPlan(options)).toMatchObject({
      rounds: 3,
      training: { epochs: 2, batchSize: 20, optimizer: { learningRate: 0.05 } },
      seed: 9,
      holdout: 0,
      cohort: { min: 4 },
      aggregation: { mode: 'secure', clip: 10, weightCap: 2000 },
    });
    expect([1, 1000, 1001, 7996].map(weightCapFor)).toEqual([1000, 1000, 2000, 8000]);
    expect(() => digitsPlan({ partners: 2 })).toThrow('cohort.min');
  });
});

/** Depends on every pixel and its place. */
function checksum(values: Float32Array, row: number): number {
  let sum = 0;
  for (let p = 0; p < 784; p++) sum = (Math.imul(sum, 31) + Math.round(values[row * 784 + p]! * 255)) | 0;
  return sum;
}
