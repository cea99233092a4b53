import { describe, expect, it } from 'vitest';
import { createStrategy } from './index.ts';

describe('FedAvg', () => {
  it('moves the weights by the weighted mean: seven partners, hand-computed', () => {
    const updates = [
      [1, 2, -1],
      [2, 1, 0],
      [1.5, 1.5, -0.5],
      [1, 1, -1],
      [50, -50, 50],
      [2, 2, 0],
      [1, 2, 0],
    ];
    const counts = [10, 20, 30, 10, 10, 10, 10];
    const total = counts.reduce((sum, n) => sum + n, 0);
    const mean = Float32Array.from([0, 1, 2], (i) =>
      updates.reduce((sum, update, k) => sum + (counts[k]! / total) * update[i]!, 0),
    );
    const weights = new Float32Array([1, 1, 1]);
    createStrategy('fedavg').apply(weights, mean);
    expect(weights[0]).toBeCloseTo(1 + 6.35, 5);
    expect(weights[1]).toBeCloseTo(1 - 3.65, 5);
    expect(weights[2]).toBeCloseTo(1 + 4.65, 5);
  });
});
