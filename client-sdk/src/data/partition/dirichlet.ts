/**
 * Label skew after Hsu et al. 2019 (arXiv 1909.06335): the rows of each class are dealt in proportions drawn from
 * Dirichlet(alpha). Large alpha is close to IID, 0.1 leaves most partners with one or two classes.
 */
import { TributaryError } from '@tributary/protocol';
import { type Random, shuffled } from './random.ts';

/** Fewer rows than this are no training set. */
export const MIN_ROWS = 10;
/** Draws before giving up; each costs classes x partners gamma samples. */
const MAX_DRAWS = 1000;

export function dirichlet(
  classes: readonly (readonly number[])[],
  partners: number,
  alpha: number,
  random: Random,
): number[][] {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const cuts = classes.map((rows) => cutPoints(proportions(partners, alpha, random), rows.length));
    const size = (partner: number) => cuts.reduce((sum, cut) => sum + cut[partner + 1]! - cut[partner]!, 0);
    const sizes = Array.from({ length: partners }, (_, partner) => size(partner));
    if (Math.min(...sizes) < MIN_ROWS) continue;
    const mixed = classes.map((rows) => shuffled(rows, random));
    return sizes.map((_, partner) =>
      mixed.flatMap((rows, label) => rows.slice(cuts[label]![partner], cuts[label]![partner + 1])),
    );
  }
  throw new TributaryError(
    'data-invalid',
    `dirichlet:${alpha} left a partner of ${partners} with fewer than ${MIN_ROWS} rows in each of ${MAX_DRAWS} draws.`,
    { remedy: 'Raise alpha, or take fewer partners.' },
  );
}

/** partners + 1 indices from 0 to `rows`. */
function cutPoints(shares: readonly number[], rows: number): number[] {
  const cuts = [0];
  let sum = 0;
  for (const share of shares) {
    sum += share;
    cuts.push(Math.min(rows, Math.round(sum * rows)));
  }
  cuts[shares.length] = rows;
  return cuts;
}

/** Normalised gamma samples, in logarithms: for small alpha the samples themselves underflow to zero, all of them. */
function proportions(partners: number, alpha: number, random: Random): number[] {
  const logs = Array.from({ length: partners }, () => logGamma(alpha, random));
  const largest = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Logarithm of a Gamma(alpha, 1) sample: Marsaglia and Tsang 2000, with Gamma(alpha + 1) * U^(1/alpha) below 1. */
function logGamma(alpha: number, random: Random): number {
  if (alpha < 1) return logGamma(alpha + 1, random) + Math.log(1 - random()) / alpha;
  const d = alpha - 1 / 3;
  for (;;) {
    const x = normal(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** Box and Muller 1958. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
