/** A number to predict, scaled to values near 1: networks and the usual learning rates are made for them. */
import type { Label } from './choose-label.ts';
import type { ColumnStats } from './column-stats.ts';
import { publicScale } from './nice-numbers.ts';

export interface NumberLabel {
  readonly label: {
    readonly name: string;
    readonly kind: 'number';
    readonly mean: number;
    readonly std: number;
  };
  /** By the path of the field in the plan. */
  readonly why: Readonly<Record<string, string>>;
}

export function numberLabel({ name, why }: Label, stats: Pick<ColumnStats, 'mean' | 'std'>): NumberLabel {
  const { mean, std } = publicScale(stats.mean, stats.std);
  return {
    label: { name, kind: 'number', mean, std },
    why: {
      'features.label':
        `${why}; what is predicted is (y - mean) / std, near 1 for any unit of y; ` +
        'both from the sample, rounded, the same at every partner',
      'training.metrics':
        `in units of std: times ${std} they are in units of ${JSON.stringify(name)}; ` +
        'measured on the hold-outs, only their sum over all partners is seen',
    },
  };
}
