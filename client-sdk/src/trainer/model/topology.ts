/** Models as data: a tfjs layers topology is completed, checked against the plan, built, and its weights named. */
import { createHash } from 'node:crypto';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type ModelWeights, type Plan, TributaryError } from '@tributary/protocol';
import { loadEngine } from '../engine/engine.ts';
import type { Engine } from '../engine/port.ts';
import { activationOf } from './heads.ts';
import { loadFault } from './load-fault.ts';
import { checkSettings } from './settings.ts';
import { checkActivations, withinParameterLimit } from './sizes.ts';
import { checkModel, withoutOutputActivation } from './topology-checks.ts';
import { checkLayers, type Json, layersIn, type Topology } from './topology-tree.ts';
import { assertTrains } from './trial.ts';
import { namedWeights, readWeights } from './weights.ts';

/**
 * Completes a topology in a copy, so that the plan's hash covers everything which decides the initial weights: layer
 * names, every default the engine would apply, and a seed for each random initializer. Idempotent.
 * @throws TributaryError plan-invalid
 */
export async function prepareTopology(topology: Topology, seed: number): Promise<Topology> {
  const engine = await loadEngine();
  const named = nameLayers(structuredClone(topology));
  checkLayers(named);
  const model = await deserialize(engine, named);
  const written = model.toJSON(null, false) as unknown as Topology;
  try {
    checkSettings(named, written);
    assertTrains(engine, model);
  } finally {
    model.dispose();
  }
  const config = structuredClone(written.config) as Json;
  seedInitializers(config, seed, '');
  return { class_name: topology.class_name, config };
}

/**
 * The model of a plan, freshly initialised. Dispose it after use.
 * @throws TributaryError plan-invalid, naming the layer
 */
export async function buildModel(plan: Plan, given?: Engine): Promise<LayersModel> {
  const engine = given ?? (await loadEngine());
  const topology = nameLayers(structuredClone(plan.model.topology));
  checkLayers(topology);
  const model = await deserialize(engine, topology);
  try {
    checkModel(plan, model, topology);
  } catch (refusal) {
    model.dispose();
    throw refusal;
  }
  return model;
}

/**
 * The same model without the activation of its last layer, which the head computes together with the loss. Its weights
 * are to be loaded: it has zeros where the plan has random ones, whose making takes seconds for large matrices.
 */
export async function buildLogitModel(engine: Engine, plan: Plan): Promise<LayersModel> {
  const topology = nameLayers(structuredClone(plan.model.topology));
  zeroInitializers(topology.config as Json);
  const model = await buildModel({ ...plan, model: { topology } }, engine);
  if (activationOf(plan.training.loss) === 'none') return model;
  const outputLayer = model.outputs[0]!.sourceLayer.name;
  model.dispose();
  return deserialize(engine, withoutOutputActivation(topology, outputLayer));
}

function zeroInitializers(node: Json): void {
  if (!node || typeof node !== 'object') return;
  for (const [key, value] of Object.entries(node)) {
    const config = key.endsWith('_initializer') ? (value as Json | null)?.config : undefined;
    if (config && typeof config === 'object' && 'seed' in config)
      node[key] = { class_name: 'Zeros', config: {} };
    else zeroInitializers(value as Json);
  }
}

/** The weights that round 1 starts from: bit-identical for the same prepared plan on the same engine. */
export async function initialWeights(plan: Plan): Promise<ModelWeights> {
  const topology = await prepareTopology(plan.model.topology, plan.seed);
  const model = await buildModel({ ...plan, model: { topology } });
  try {
    return readWeights(namedWeights(model));
  } finally {
    model.dispose();
  }
}

async function deserialize(engine: Engine, topology: Topology): Promise<LayersModel> {
  try {
    const model = await withinParameterLimit(engine, () =>
      engine.layers.models.modelFromJSON(structuredClone(topology) as never),
    );
    try {
      checkActivations(model);
      return model;
    } catch (refusal) {
      model.dispose();
      throw refusal;
    }
  } catch (error) {
    if (error instanceof TributaryError) throw error;
    throw await loadFault(engine, topology, error);
  }
}

/** tfjs numbers unnamed layers by a counter of the process: two models of one plan would get different names. */
function nameLayers(topology: Topology): Topology {
  const config = topology.config as Json;
  if (Array.isArray(config)) topology.config = { name: 'model', layers: config };
  else if (config && typeof config === 'object') config.name ??= 'model';
  const taken = new Set<unknown>(layersIn(topology).map((layer) => layer.config.name));
  const counts = new Map<string, number>();
  for (const layer of layersIn(topology)) {
    if (layer.config.name !== undefined && layer.config.name !== null) continue;
    const base = layer.className.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
    let name: string;
    do {
      counts.set(base, (counts.get(base) ?? 0) + 1);
      name = `${base}_${counts.get(base)}`;
    } while (taken.has(name));
    taken.add(name);
    layer.config.name = name;
  }
  return topology;
}

/** One seed per initializer: the same one everywhere would give equal shapes equal weights. tfjs takes 0 as "none". */
function seedInitializers(node: Json, seed: number, path: string): void {
  if (Array.isArray(node)) for (const item of node) seedInitializers(item as Json, seed, path);
  if (!node || typeof node !== 'object' || Array.isArray(node)) return;
  const here = typeof node.name === 'string' ? `${path}/${node.name}` : path;
  for (const [key, value] of Object.entries(node)) {
    const config = key.endsWith('_initializer') ? (value as Json | null)?.config : undefined;
    if (config && typeof config === 'object' && 'seed' in config) {
      const digest = createHash('sha256').update(`tributary initializer ${seed} ${here}/${key}`).digest();
      (config as Json).seed ??= digest.readUInt32BE(0) & 0x7fffffff || 1;
    } else seedInitializers(value as Json, seed, here);
  }
}
