import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type io, type Tensor, tensor } from '@tensorflow/tfjs-core';
import { loadLayersModel } from '@tensorflow/tfjs-layers';
import { decodeSafetensors, encodeSafetensors } from '@tributary/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digitsPlan } from '../data/digits-plan.ts';
import { buildModel, initialWeights } from '../trainer/model/topology.ts';
import { countParameters, requireFit, writeModel } from './model-files.ts';
import { completePlan } from './plan-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-model-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a pulled model', () => {
  it('loads in tfjs with the very weights of the safetensors file', async () => {
    const plan = await completePlan(digitsPlan({ partners: 3, seed: 7 }));
    const weights = await initialWeights(plan);
    // Biases start at zero: values that differ everywhere show a wrong order.
    for (let i = 0; i < weights.values.length; i++) weights.values[i] = Math.sin(i) / 10;
    const file = encodeSafetensors(weights);
    const out = join(folder, 'pulled');
    const paths = await writeModel(out, plan, file, false);
    expect(paths.map((path) => path.slice(out.length + 1))).toEqual([
      'model.safetensors',
      'topology.json',
      'model.json',
      'weights.bin',
    ]);
    expect(new Uint8Array(await readFile(paths[0]!))).toEqual(file);
    expect(JSON.parse(await readFile(paths[1]!, 'utf8'))).toEqual(plan.model.topology);

    const model = await loadLayersModel(await handlerOf(out));
    const flat = model.getWeights().flatMap((weight) => [...weight.dataSync()]);
    expect(flat).toEqual([...decodeSafetensors(file).model.values]);
    const pixels = tensor(
      Float32Array.from({ length: 784 }, (_, i) => (i % 17) / 17),
      [1, 28, 28, 1],
    );
    const scores = Float32Array.from((model.predict(pixels) as Tensor).dataSync());
    expect(scores.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  });

  it('does not overwrite another one unless it is told to', async () => {
    const plan = await completePlan(digitsPlan({ partners: 3 }));
    const file = encodeSafetensors(await initialWeights(plan));
    const out = join(folder, 'twice');
    await writeModel(out, plan, file, false);
    await expect(writeModel(out, plan, file, false)).rejects.toMatchObject({ code: 'conflict' });
    await writeModel(out, plan, file, true);
  });

  it('is refused where its tensors do not fit the plan', async () => {
    const plan = await completePlan(digitsPlan({ partners: 3 }));
    const weights = await initialWeights(plan);
    const [first, ...others] = weights.tensors;
    const renamed = { ...weights, tensors: [{ ...first!, name: 'elsewhere/kernel' }, ...others] };
    await expect(requireFit(plan, renamed)).rejects.toMatchObject({ code: 'model-invalid' });
    await requireFit(plan, weights);
  });

  it('has as many parameters as its plan says', async () => {
    const plan = await completePlan(digitsPlan({ partners: 3 }));
    const model = await buildModel(plan);
    model.dispose();
    expect(await countParameters(plan)).toBe(784 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10);
  });
});

/** What `tf.loadLayersModel('file://...')` of tfjs-node does. */
async function handlerOf(out: string): Promise<io.IOHandler> {
  const { modelTopology, weightsManifest, ...rest } = JSON.parse(
    await readFile(join(out, 'model.json'), 'utf8'),
  );
  const bytes = await readFile(join(out, weightsManifest[0].paths[0]));
  const weightData = new Uint8Array(bytes).buffer;
  return {
    load: async () => ({ ...rest, modelTopology, weightSpecs: weightsManifest[0].weights, weightData }),
  };
}
