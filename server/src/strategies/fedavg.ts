import type { Strategy } from './port.ts';

/** Federated averaging, McMahan et al. 2017: w += sum p_k (w_k - w), p_k = n_k / sum n. */
export function fedavg(): Strategy {
  return {
    apply(weights, mean) {
      for (let i = 0; i < weights.length; i++) weights[i]! += mean[i]!;
    },
  };
}
