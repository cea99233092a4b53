import type { ModelWeights } from '@tributary/protocol';

/** Follows from the model, so that a report can be checked. */
export function evaluation({ values }: ModelWeights): {
  count: number;
  loss: number;
  metrics: Record<string, number>;
} {
  return { count: values.length, loss: values.reduce((sum, value) => sum + Math.abs(value), 0), metrics: {} };
}
