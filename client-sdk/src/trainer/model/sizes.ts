/** Sizes of a model, told before memory is taken for them: a few characters of a plan can ask for terabytes. */
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { LIMITS, TributaryError } from '@tributary/protocol';
import type { Engine } from '../engine/port.ts';

const sizeOf = (shape: readonly (number | null)[]): number =>
  shape.reduce<number>((product, size) => product * (size ?? 1), 1);

/** What tfjs keeps to itself and its subclasses. */
interface AddsWeights {
  readonly name: string;
  addWeight(name: string, shape: readonly (number | null)[], ...rest: unknown[]): unknown;
}

/**
 * Counts what layers ask for while `build` makes them. It counts the synchronous part of `build`, which is all that
 * tfjs needs to make a model from a topology.
 * @throws TributaryError plan-invalid, naming the layer
 */
export function withinParameterLimit<T>({ layers }: Engine, build: () => T): T {
  const prototype = layers.layers.Layer.prototype as unknown as AddsWeights;
  const original = prototype.addWeight;
  let parameters = 0;
  prototype.addWeight = function addWeight(this: AddsWeights, name, shape, ...rest) {
    parameters += sizeOf(shape);
    if (parameters > LIMITS.parameters)
      throw new TributaryError(
        'plan-invalid',
        `model layer "${this.name}": with it the model has ${parameters} parameters, the limit is ${LIMITS.parameters}.`,
      );
    return original.call(this, name, shape, ...rest);
  };
  try {
    return build();
  } finally {
    prototype.addWeight = original;
  }
}

/** @throws TributaryError plan-invalid, naming the layer */
export function checkActivations({ layers }: LayersModel): void {
  for (const layer of layers) {
    if ('layers' in layer) checkActivations(layer as LayersModel);
    for (const { outputShapes } of layer.inboundNodes)
      for (const shape of shapesOf(outputShapes)) {
        const row = shape.slice(1);
        if (sizeOf(row) > LIMITS.activations)
          throw new TributaryError(
            'plan-invalid',
            `model layer "${layer.name}" gives [${row}] for one row, ${sizeOf(row)} values, the limit is ${LIMITS.activations}.`,
          );
      }
  }
}

type Shape = readonly (number | null)[];

const shapesOf = (given: unknown): readonly Shape[] =>
  Array.isArray(given) && given.every((part) => Array.isArray(part)) ? given : [given as Shape];
