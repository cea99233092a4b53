/** Between a flat weight vector and the variables of a model. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type ModelWeights, type TensorSpec, TributaryError } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';

/** tfjs does not export the type of its layer variables. */
export type LayerVariable = LayersModel['weights'][number];

export interface NamedWeight {
  readonly name: string;
  readonly variable: LayerVariable;
}

/** `<layer>/<weight>` for every weight, trained or not. tfjs's own variable names carry process-wide suffixes. */
export function namedWeights(model: LayersModel): NamedWeight[] {
  const named: NamedWeight[] = [];
  const names = new Set<string>();
  for (const layer of model.layers)
    for (const variable of layer.weights) {
      const original = variable.originalName;
      const name = original.startsWith(`${layer.name}/`) ? original : `${layer.name}/${original}`;
      if (names.has(name))
        throw new TributaryError(
          'plan-invalid',
          `model layer "${layer.name}": two weights are named ${name}.`,
        );
      names.add(name);
      named.push({ name, variable });
    }
  return named;
}

function specsOf(weights: readonly NamedWeight[]): TensorSpec[] {
  let offset = 0;
  return weights.map(({ name, variable }) => {
    const shape = variable.shape as number[];
    const length = shape.reduce((product, size) => product * size, 1);
    const spec = { name, shape, offset, length };
    offset += length;
    return spec;
  });
}

export function readWeights(weights: readonly NamedWeight[]): ModelWeights {
  const tensors = specsOf(weights);
  const last = tensors.at(-1);
  const values = new Float32Array(last ? last.offset + last.length : 0);
  for (const [index, spec] of tensors.entries())
    values.set(weights[index]!.variable.read().dataSync() as Float32Array, spec.offset);
  return { tensors, values };
}

/** The order in which the incoming model lists its tensors wins; every weight of the model must be there, once. */
export function arrange(weights: readonly NamedWeight[], incoming: readonly TensorSpec[]): NamedWeight[] {
  const byName = new Map(weights.map((weight) => [weight.name, weight]));
  const refuse = (why: string): never => {
    throw new TributaryError('model-invalid', `The incoming model does not fit the plan: ${why}.`);
  };
  if (incoming.length !== weights.length)
    refuse(`it has ${incoming.length} tensors, the topology has ${weights.length}`);
  let offset = 0;
  return incoming.map((spec) => {
    const weight = byName.get(spec.name) ?? refuse(`unknown tensor ${spec.name}`);
    byName.delete(spec.name);
    if (String(weight.variable.shape) !== String(spec.shape))
      refuse(`${spec.name} is [${spec.shape}], the topology says [${weight.variable.shape}]`);
    if (spec.offset !== offset) refuse(`${spec.name} starts at ${spec.offset} and not at ${offset}`);
    offset += spec.length;
    return weight;
  });
}

/** One pass without a branch: a value that is not finite turns 0 into NaN. */
export function allFinite(values: Float32Array): boolean {
  let zero = 0;
  for (let index = 0; index < values.length; index += 1) zero += values[index]! * 0;
  return zero === 0;
}

/** New tensors every time: packed copies inside the wasm backend go stale when memory is written in place. */
export function writeWeights(
  engine: Engine,
  arranged: readonly NamedWeight[],
  tensors: readonly TensorSpec[],
  values: Float32Array,
): void {
  for (const [index, { variable }] of arranged.entries()) {
    const { offset, length, shape } = tensors[index]!;
    const value = engine.tf.tensor(
      values.subarray(offset, offset + length),
      shape as number[],
      variable.dtype,
    );
    variable.write(value);
    value.dispose();
  }
}
