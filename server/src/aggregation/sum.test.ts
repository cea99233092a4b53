import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors, toBase64 } from '@tributary/protocol';
import { nodeCrypto } from '@tributary/protocol/node';
import {
  createAccumulator,
  encodeScalar,
  gridOf,
  layoutOf,
  quantise,
  writeSentinels,
} from '@tributary/protocol/ring';
import type { UnmaskingOrder } from '@tributary/protocol/secagg';
import { survivorMaskTerms } from '@tributary/protocol/secagg';
import { afterAll, describe, expect, it } from 'vitest';
import { createFolds, type Update } from './fold.ts';
import type { SumJob } from './jobs.ts';
import { finishSum } from './sum.ts';

const PARAMETERS = 150_000;
const SCALES = [1, 65_536];
const CLIP = 10;
const CAP = 1000;
const layout = layoutOf(PARAMETERS, SCALES.length);
const folder = mkdtempSync(join(tmpdir(), 'tributary-sum-'));
afterAll(() => rmSync(folder, { recursive: true }));

const base = new Float32Array(PARAMETERS).map(() => Math.random() - 0.5);
const basePath = join(folder, 'base.safetensors');
writeFileSync(
  basePath,
  encodeSafetensors({
    tensors: [{ name: 'dense/kernel', shape: [PARAMETERS], offset: 0, length: PARAMETERS }],
    values: base,
  }),
);

/** Quantised updates of `survivors` members, each with its self mask; pair masks with `dropped` members left over. */
function masked(survivors: number, dropped: number) {
  const deltas = Array.from({ length: survivors }, () =>
    new Float32Array(PARAMETERS).map(() => (Math.random() - 0.5) * 0.02),
  );
  const weights = deltas.map((_, i) => 700 + 31 * i);
  const secret = () => randomBytes(32);
  const id = () => toBase64(secret());
  const hash = createHash('sha256').update('x').digest('hex');
  const keys = deltas.map(() => secret());
  const order: UnmaskingOrder = {
    announcement: hash,
    roster: hash,
    cohort: hash,
    survivors: keys.map((key) => ({
      member: id(),
      maskKey: toBase64(nodeCrypto.x25519PublicKey(key)),
      seed: toBase64(secret()),
    })),
    dropped: Array.from({ length: dropped }, () => ({ member: id(), maskSecret: toBase64(secret()) })),
  };
  const updates: Update[] = deltas.map((delta, i) => {
    const vector = createAccumulator(layout.length);
    quantise(delta, weights[i]! / CAP, gridOf(survivors + dropped, CLIP), layout, vector.words);
    encodeScalar(vector.words, layout, 0, weights[i]!, SCALES[0]!);
    encodeScalar(vector.words, layout, 1, -1.5 * weights[i]!, SCALES[1]!);
    writeSentinels(vector.words);
    // The first update carries all that will be taken away again: same sum, and one vector that is pure noise.
    if (i === 0)
      for (const { key, sign } of survivorMaskTerms(nodeCrypto, order))
        vector.addKeystream(nodeCrypto.keystream(key), -sign as 1 | -1);
    const path = join(folder, `update-${survivors}-${dropped}-${i}`);
    writeFileSync(path, vector.bytes);
    return { member: order.survivors[i]!.member, path };
  });
  const job: SumJob = {
    type: 'sum',
    attempt: 'a',
    parameters: PARAMETERS,
    scales: SCALES,
    coordinateBound: CLIP,
    weightCap: CAP,
    strategy: 'fedavg',
    survivors: updates,
    cohortSize: survivors + dropped,
    order,
    basePath,
  };
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = new Float64Array(PARAMETERS);
  for (const [i, delta] of deltas.entries())
    for (let j = 0; j < mean.length; j++) mean[j]! += (weights[i]! / total) * delta[j]!;
  return { job, mean, total };
}

function sumOf(job: SumJob) {
  const folds = createFolds();
  for (const update of job.survivors.slice(1)) folds.add('a', layout.length, update); // the first is folded by `take`
  return finishSum(job, folds.take('a', layout.length, job.survivors));
}

describe('from masked updates to the new model', () => {
  it('an accumulator that is used again starts from zero', () => {
    const { job } = masked(3, 0);
    const folds = createFolds();
    for (let round = 0; round < 2; round++) {
      const accumulator = folds.take('a', layout.length, job.survivors);
      expect(finishSum(job, accumulator).scalars[0]).toBe(700 + 731 + 762);
      folds.giveBack(accumulator);
      folds.add('b', layout.length, job.survivors[0]!);
      folds.discard('b');
    }
  });

  it.each([
    [3, 0],
    [10, 0],
    [7, 3],
  ])(
    '%i survivors, %i dropped: equals the plain weighted mean, relative L2 error < 1e-4',
    (survivors, dropped) => {
      const { job, mean, total } = masked(survivors, dropped);
      const answer = sumOf(job);
      const { model } = decodeSafetensors(answer.file);
      let error = 0;
      let norm = 0;
      for (let i = 0; i < PARAMETERS; i++) {
        error += (model.values[i]! - base[i]! - mean[i]!) ** 2;
        norm += mean[i]! ** 2;
      }
      expect(Math.sqrt(error / norm)).toBeLessThan(1e-4);
      expect(answer.scalars[0]).toBe(total);
      expect(answer.scalars[1]).toBeCloseTo(-1.5 * total, 3);
      expect(answer.norm).toBeCloseTo(Math.sqrt(norm), 3);
      const bytes = new Uint8Array(model.values.buffer, model.values.byteOffset, model.values.byteLength);
      expect(answer.weights).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(model.tensors[0]!.name).toBe('dense/kernel');
    },
  );

  it('masks that do not cancel publish nothing: another seed, another cohort hash', () => {
    // By the sentinels: limbs out of range would be found, but not in every sum.
    const corrupt = expect.objectContaining({
      code: 'sum-corrupt',
      message: expect.stringMatching(/^Sentinel/),
    });
    const { job } = masked(3, 1);
    const [first, ...others] = job.order.survivors;
    const lied = {
      ...job,
      order: { ...job.order, survivors: [{ ...first!, seed: toBase64(randomBytes(32)) }, ...others] },
    };
    expect(() => sumOf(lied)).toThrow(corrupt);
    const other = { ...job, order: { ...job.order, cohort: 'f'.repeat(64) } };
    expect(() => sumOf(other)).toThrow(corrupt);
  });

  it('a fold that holds somebody who is not among the survivors is made anew from the spool', () => {
    const { job } = masked(4, 0);
    const folds = createFolds();
    const stranger = { member: 'stranger', path: job.survivors[2]!.path };
    for (const update of [...job.survivors, stranger]) folds.add('a', layout.length, update);
    expect(finishSum(job, folds.take('a', layout.length, job.survivors)).scalars[0]).toBeGreaterThan(2800);
  });

  it('a new model with a value beyond float32 is not published', () => {
    const { job, mean } = masked(3, 0);
    const path = join(folder, 'huge.safetensors');
    const values = base.map((value, i) => (i % 1000 === 999 ? Math.sign(mean[i]!) * 3.402e38 : value));
    const tensor = { name: 'dense/kernel', shape: [PARAMETERS], offset: 0, length: PARAMETERS };
    writeFileSync(path, encodeSafetensors({ tensors: [tensor], values }));
    expect(sumOf({ ...job, basePath: path }).scalars[0]).toBe(700 + 731 + 762);
    expect(() => sumOf({ ...job, basePath: path, coordinateBound: 3e38 })).toThrow(
      expect.objectContaining({ code: 'not-finite' }),
    );
  });

  it('an update that was cut short on disk is a typed error', () => {
    const path = join(folder, 'short');
    writeFileSync(path, Buffer.alloc(4 * layout.length - 4));
    expect(() => createFolds().add('a', layout.length, { member: 'm', path })).toThrow(
      expect.objectContaining({ code: 'storage-failed' }),
    );
  });
});
