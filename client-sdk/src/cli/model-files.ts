/** A model on disk, in the formats that others read: safetensors, and the tfjs layers format. */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeSafetensors,
  type ModelWeights,
  type Plan,
  SOFTWARE_VERSION,
  TributaryError,
} from '@tributary/protocol';
import { buildModel } from '../trainer/model/topology.ts';
import { arrange, namedWeights } from '../trainer/model/weights.ts';
import { writeNew } from './new-file.ts';

export async function countParameters(plan: Plan): Promise<number> {
  const model = await buildModel(plan);
  try {
    return model.countParams();
  } finally {
    model.dispose();
  }
}

/** @throws model-invalid naming the tensor */
export async function requireFit(plan: Plan, weights: ModelWeights): Promise<void> {
  await manifestOf(plan, weights);
}

/**
 * Writes model.safetensors (the coordinator's bytes, untouched), topology.json, and model.json with weights.bin.
 * @returns the paths, in this order
 * @throws conflict when one is there and `force` is not given
 */
export async function writeModel(
  folder: string,
  plan: Plan,
  file: Uint8Array,
  force: boolean,
): Promise<string[]> {
  const { model } = decodeSafetensors(file);
  const { values } = model;
  const modelJson = {
    format: 'layers-model',
    generatedBy: `Tributary ${SOFTWARE_VERSION}`,
    convertedBy: null,
    modelTopology: plan.model.topology,
    weightsManifest: [{ paths: ['weights.bin'], weights: await manifestOf(plan, model) }],
  };
  const files: [string, string | Uint8Array][] = [
    ['model.safetensors', file],
    ['topology.json', json(plan.model.topology)],
    ['model.json', json(modelJson)],
    ['weights.bin', new Uint8Array(values.buffer, values.byteOffset, values.byteLength)],
  ];
  await mkdir(folder, { recursive: true });
  const paths = files.map(([name]) => join(folder, name));
  for (const path of force ? [] : paths)
    if (await exists(path))
      throw new TributaryError('conflict', `${path} exists already.`, {
        remedy: 'Choose another folder with --out, or pass --force.',
      });
  await writeNew(
    files.map(([, content], index) => [paths[index]!, content] as const),
    force,
  );
  return paths;
}

/** tfjs finds weights by its own names, which differ from ours where layers hold layers. In the order of `weights`. */
async function manifestOf(plan: Plan, weights: ModelWeights) {
  const model = await buildModel(plan);
  try {
    const arranged = arrange(namedWeights(model), weights.tensors);
    return arranged.map(({ variable }, index) => ({
      name: variable.originalName,
      shape: weights.tensors[index]!.shape,
      dtype: 'float32',
    }));
  } finally {
    model.dispose();
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
