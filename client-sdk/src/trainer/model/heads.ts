/**
 * The output end of a model: activation, loss, gradient and metrics in one pass over a small batch of outputs, from
 * logits wherever the activation is a softmax or sigmoid, which is both faster and exact where probabilities saturate.
 */
import { type Plan, type Target, targetOf } from '@tributary/protocol';

/** Sums over the rows of a batch. */
export interface BatchSums {
  loss: number;
  accuracy: number;
  meanAbsoluteError: number;
}

export function emptySums(): BatchSums {
  return { loss: 0, accuracy: 0, meanAbsoluteError: 0 };
}

/**
 * Adds one batch to `sums`. `outputs` is rows x units; `labels` rows x values to predict, which is one
 * value or, where the features themselves are the target, as many as units.
 * With `gradient` (rows x units) it also writes d(mean loss)/d(outputs).
 */
export type Head = (
  outputs: Float32Array,
  labels: Float32Array,
  units: number,
  sums: BatchSums,
  gradient?: Float32Array,
) => void;

/** How the plan's loss reads the last layer: its activation is taken off and done by the head. */
export type Activation = 'softmax' | 'sigmoid' | 'none';

export function activationOf(loss: Plan['training']['loss']): Activation {
  switch (loss) {
    case 'sparseCategoricalCrossentropy':
    case 'categoricalCrossentropy':
      return 'softmax';
    case 'binaryCrossentropy':
      return 'sigmoid';
    case 'meanSquaredError':
      return 'none';
  }
}

export function headOf(plan: Plan): Head {
  switch (activationOf(plan.training.loss)) {
    case 'softmax':
      return softmaxHead;
    case 'sigmoid':
      return sigmoidHead;
    case 'none':
      return SQUARED[targetOf(plan.features).kind];
  }
}

/** 0 when no class is predicted. */
export function classCount({ features }: Plan): number {
  const target = targetOf(features);
  return target.kind === 'class' ? target.classes.length : 0;
}

/** Labels are class indices. loss = log(sum exp z) - z[label]; gradient (p - onehot) / rows. */
const softmaxHead: Head = (outputs, labels, units, sums, gradient) => {
  const rows = labels.length;
  for (let row = 0; row < rows; row += 1) {
    const from = row * units;
    const label = labels[row]!;
    let best = 0;
    for (let unit = 1; unit < units; unit += 1)
      if (outputs[from + unit]! > outputs[from + best]!) best = unit;
    const top = outputs[from + best]!;
    let total = 0;
    for (let unit = 0; unit < units; unit += 1) total += Math.exp(outputs[from + unit]! - top);
    sums.loss += Math.log(total) + top - outputs[from + label]!;
    if (best === label) sums.accuracy += 1;
    const own = Math.exp(outputs[from + label]! - top) / total;
    // Against the one-hot label: (1 - own) for the class itself and as much again spread over the others.
    sums.meanAbsoluteError += (2 * (1 - own)) / units;
    if (!gradient) continue;
    for (let unit = 0; unit < units; unit += 1)
      gradient[from + unit] = Math.exp(outputs[from + unit]! - top) / total / rows;
    gradient[from + label] = gradient[from + label]! - 1 / rows;
  }
};

/** One unit, labels 0 or 1. loss = max(z, 0) - z y + log(1 + exp(-|z|)); gradient (sigmoid(z) - y) / rows. */
const sigmoidHead: Head = (outputs, labels, _units, sums, gradient) => {
  const rows = labels.length;
  for (let row = 0; row < rows; row += 1) {
    const z = outputs[row]!;
    const y = labels[row]!;
    sums.loss += Math.max(z, 0) - z * y + Math.log1p(Math.exp(-Math.abs(z)));
    if (z > 0 === y > 0.5) sums.accuracy += 1;
    const p = 1 / (1 + Math.exp(-z));
    sums.meanAbsoluteError += Math.abs(p - y);
    if (gradient) gradient[row] = (p - y) / rows;
  }
};

/** Mean over units of (o - y)^2. @param target y of one unit */
function squaredHead(
  target: (labels: Float32Array, row: number, unit: number, units: number) => number,
  classes: boolean,
): Head {
  return (outputs, labels, units, sums, gradient) => {
    const rows = outputs.length / units;
    for (let row = 0; row < rows; row += 1) {
      let best = 0;
      for (let unit = 0; unit < units; unit += 1) {
        const at = row * units + unit;
        const error = outputs[at]! - target(labels, row, unit, units);
        sums.loss += (error * error) / units;
        sums.meanAbsoluteError += Math.abs(error) / units;
        if (outputs[at]! > outputs[row * units + best]!) best = unit;
        if (gradient) gradient[at] = (2 * error) / units / rows;
      }
      if (classes && best === labels[row]) sums.accuracy += 1;
    }
  };
}

/** What the squared error is taken against: a one-hot class, the number itself, or as many values as units. */
const SQUARED: Readonly<Record<Target['kind'], Head>> = {
  class: squaredHead((labels, row, unit) => Number(unit === labels[row]), true),
  number: squaredHead((labels, row) => labels[row]!, false),
  features: squaredHead((labels, row, unit, units) => labels[row * units + unit]!, false),
};
