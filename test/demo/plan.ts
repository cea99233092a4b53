/** The demo's training plan, and the policy with which each partner allows exactly this plan. */
import { FLOORS, type Plan, parsePlan } from '@tributary/protocol';
import { datasetOf } from './datasets/index.ts';
import { MIN_SUM } from './drop.ts';
import { EVALUATOR } from './nodes.ts';
import type { DemoOptions } from './options.ts';

/** Milliseconds of one training step with ten rows on a slow core: only to bound how long stragglers are waited for. */
const SLOW_STEP_MS = 2;

/** @param largest rows of the partner that has most of them */
export function demoPlan(options: DemoOptions, largest: number, cores: number): Plan {
  const { partners, drop, aggregation, rounds, epochs, batch, lr, seed, holdout } = options;
  const plan = datasetOf(options).plan({
    partners,
    rounds,
    epochs,
    batch,
    lr,
    seed,
    holdout,
    largest,
    name: 'demo',
  });
  return parsePlan({
    ...plan,
    aggregation: { ...plan.aggregation, mode: aggregation },
    // Those who remain after the drop go on without the others.
    cohort: { min: partners - drop, minSum: MIN_SUM },
    // Whoever dies is noticed by the demo itself; whoever is slow on a crowded machine may be.
    timing: { patience: 600, grace: graceOf(options, largest, cores), maximum: 86_400 },
  });
}

/**
 * Seconds that stragglers get once enough have answered. With --drop the remaining ones are enough, so this is how long
 * the slowest partner may take beyond them, and how long round 2 waits for the dead.
 */
function graceOf({ partners, drop, epochs, batch }: DemoOptions, largest: number, cores: number): number {
  if (drop === 0) return 30;
  const steps = epochs * Math.ceil(largest / batch);
  const stepMs = SLOW_STEP_MS * Math.max(1, batch / 100);
  const alone = (steps * stepMs) / 1000;
  return Math.round(1 + 0.3 * alone * Math.max(1, partners / cores));
}

/** As `plans:` of a policy lists them. */
type AllowedPlans = readonly ({ readonly plan: string } | { readonly topology: string })[];

/** Of a partner, as `policy:` in its node.yaml. */
function partnerPolicy(options: DemoOptions, plans: AllowedPlans): object {
  const { partners, drop, aggregation, rounds } = options;
  const remaining = partners - drop;
  return {
    plans,
    aggregation: aggregation === 'plain' ? 'allow-plain' : 'secure',
    minRoster: Math.max(FLOORS.members, Math.min(5, remaining)),
    minSum: MIN_SUM,
    collusion: FLOORS.collusion,
    maxRounds: rounds,
  };
}

/** node.yaml: JSON values are YAML too. */
export function nodeFile(name: string, options: DemoOptions, plans: AllowedPlans): string {
  const data = datasetOf(options).data[name === EVALUATOR ? 'test' : 'train'];
  const policy = name === EVALUATOR ? { plans } : partnerPolicy(options, plans);
  const lines = (fields: object) =>
    Object.entries(fields).map(([field, value]) => `  ${field}: ${JSON.stringify(value)}`);
  return [
    `name: ${name}`,
    'state: ./state             # encrypted key, accepted members, ledger',
    `engine: ${options.engine}`,
    'data:                      # paths are relative to this file; the rows never leave this process',
    ...lines(data),
    'policy:                    # exactly what this demo asks for; anything else is refused',
    ...lines(policy),
    '',
  ].join('\n');
}
