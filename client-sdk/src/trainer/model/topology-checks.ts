import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Column, type Features, LIMITS, type Plan, TributaryError, targetOf } from '@tributary/protocol';
import { activationOf, classCount } from './heads.ts';
import { checkMoments } from './moments-checks.ts';
import { isObject, type Json, type LayerEntry, layersIn, type Topology } from './topology-tree.ts';

/** @throws TributaryError plan-invalid when the model does not fit the plan's features, classes or loss. */
export function checkModel(plan: Plan, model: LayersModel, topology: Topology): void {
  if (model.inputs?.length !== 1 || model.outputs?.length !== 1)
    invalid(
      `the model has ${model.inputs?.length ?? 0} inputs and ${model.outputs?.length ?? 0} outputs, ` +
        'a plan trains exactly one of each (the first layer needs batch_input_shape)',
    );
  checkMoments(plan);
  checkInput(plan.features, model, topology);
  checkOutput(plan, model, topology);
  if (model.countParams() > LIMITS.parameters)
    invalid(`${model.countParams()} parameters, the limit is ${LIMITS.parameters}`);
}

/** Shape of one row as the data adapters deliver it. */
export function rowShape(features: Features): number[] {
  switch (features.kind) {
    case 'image':
      return [features.height, features.width, features.channels];
    case 'table':
      return [columnsWidth(features.columns)];
    case 'series':
      return [features.window, columnsWidth(features.columns)];
    case 'text':
      return [features.length];
  }
}

function columnsWidth(columns: readonly Column[]): number {
  let width = 0;
  for (const { transform } of columns)
    width += transform.kind === 'onehot' ? transform.categories.length + Number(transform.other) : 1;
  return width;
}

function checkInput(features: Features, model: LayersModel, topology: Topology): void {
  const row = rowShape(features);
  const input = model.inputs[0]!.shape.slice(1);
  const flat = row.reduce((product, size) => product * size, 1);
  if (!sameShape(input, row) && !sameShape(input, [flat])) {
    const wanted = row.length > 1 ? `[${row}] or [${flat}]` : `[${row}]`;
    invalid(`layer "${model.inputs[0]!.sourceLayer.name}" takes [${input}], the features are ${wanted}`);
  }
  if (features.kind === 'text') checkEmbeddings(features.buckets + 1, topology);
}

/** Embeddings look words up without a check: an id beyond the last row would read whatever lies there. */
function checkEmbeddings(ids: number, topology: Topology): void {
  for (const { className, config } of layersIn(topology))
    if (/Embedding$/.test(className) && !(Number(config.input_dim) >= ids))
      invalid(
        `layer "${config.name}": input_dim is ${config.input_dim}, ${ids - 1} buckets and the padding need ${ids}`,
      );
}

function checkOutput(plan: Plan, model: LayersModel, topology: Topology): void {
  const { loss, metrics } = plan.training;
  const target = targetOf(plan.features);
  const classes = classCount(plan);
  const shape = model.outputs[0]!.shape.slice(1);
  const name = model.outputs[0]!.sourceLayer.name;
  const wrong = (why: string): never => invalid(`layer "${name}": ${why}`);
  const wanted = activationOf(loss);
  if (wanted !== 'none' && classes === 0)
    wrong(`${loss} needs a label with classes, ${NO_CLASSES[target.kind]}; take meanSquaredError`);
  if (wanted === 'sigmoid' && classes !== 2)
    wrong(`binaryCrossentropy needs 2 classes, the plan has ${classes}`);
  if (metrics.includes('accuracy') && classes === 0)
    wrong(`accuracy needs a label with classes, ${NO_CLASSES[target.kind]}; take meanAbsoluteError`);
  const units = wanted === 'sigmoid' ? 1 : targetWidth(plan.features);
  if (!sameShape(shape, [units])) wrong(`gives [${shape}], ${loss} with these labels needs [${units}]`);
  const activation = outputActivation(topology, name);
  if (wanted !== 'none' && activation?.name !== wanted)
    wrong(`${loss} needs the activation ${wanted}, it has ${activation?.name ?? 'none that can be read'}`);
}

const NO_CLASSES = {
  class: 'it has none',
  number: 'the label is a number',
  features: 'the label is the features themselves',
} as const;

/** Outputs that the target of these features needs: one per class, one number, or the features as a flat row. */
function targetWidth(features: Features): number {
  const target = targetOf(features);
  switch (target.kind) {
    case 'class':
      return target.classes.length;
    case 'number':
      return 1;
    case 'features':
      return rowShape(features).reduce((product, size) => product * size, 1);
  }
}

interface OutputActivation {
  readonly name: string;
  readonly layer: LayerEntry;
}

/** The last activation, whether of a layer of its own or part of one. */
function outputActivation(topology: Topology, layerName: string): OutputActivation | undefined {
  const layer = layersIn(topology).find((entry) => entry.config.name === layerName);
  if (!layer) return undefined;
  if (layer.className === 'Softmax') return { name: 'softmax', layer };
  const activation = layer.config.activation ?? 'linear';
  if (typeof activation === 'string') return { name: activation, layer };
  if (isObject(activation) && typeof activation.class_name === 'string')
    return { name: activation.class_name.toLowerCase(), layer };
  return undefined;
}

/** A copy whose last layer gives logits, because the head does the activation together with the loss. */
export function withoutOutputActivation(topology: Topology, layerName: string): Topology {
  const copy = structuredClone(topology);
  const found = outputActivation(copy, layerName);
  if (found?.layer.className === 'Softmax') {
    const entry = findEntry(copy, layerName)!;
    entry.class_name = 'Activation';
    entry.config = { ...(entry.config as Json), axis: undefined, activation: 'linear' };
  } else if (found) found.layer.config.activation = 'linear';
  return copy;
}

function findEntry(topology: Topology, name: string): Json | undefined {
  const layers = (topology.config as Json).layers as Json[];
  return layers.find((layer) => (layer.config as Json).name === name);
}

function sameShape(a: readonly (number | null)[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function invalid(why: string): never {
  throw new TributaryError('plan-invalid', `model: ${why}.`);
}
