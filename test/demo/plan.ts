/** The demo's training plan, and the policy with which each partner allows exactly this plan. */
import { digitsPlan } from '@tributary/client-sdk';
import { FLOORS, type Plan, parsePlan } from '@tributary/protocol';
import { MIN_SUM } from './drop.ts';
import { EVALUATOR } from './nodes.ts';
import type { DemoOptions } from './options.ts';

/** Milliseconds of one training step with ten rows on a slow core: only to bound how long stragglers are waited for. */
const SLOW_STEP_MS = 2;

/** @param largest rows of the partner that has most of them */
export function demoPlan(options: DemoOptions, largest: number, cores: number): Plan {
  const { partners, drop, aggregation, rounds, epochs, batch, lr, seed, holdout } = options;
  const plan = digitsPlan({ partners, rounds, epochs, batch, lr, seed, holdout, largest, name: 'demo' });
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

/** Of a partner, as `policy:` in its node.yaml. */
function partnerPolicy(options: DemoOptions, planHash: string): object {
  const { partners, drop, aggregation, rounds } = options;
  const remaining = partners - drop;
  return {
    plans: [{ plan: planHash }],
    aggregation: aggregation === 'plain' ? 'allow-plain' : 'secure',
    minRoster: Math.max(FLOORS.members, Math.min(5, remaining)),
    minSum: MIN_SUM,
    collusion: FLOORS.collusion,
    maxRounds: rounds,
  };
}

/** node.yaml: JSON values are YAML too. */
export function nodeFile(name: string, options: DemoOptions, planHash: string): string {
  const set = name === EVALUATOR ? 'test' : 'train';
  const policy = name === EVALUATOR ? { plans: [{ plan: planHash }] } : partnerPolicy(options, planHash);
  const rules = Object.entries(policy).map(([rule, value]) => `  ${rule}: ${JSON.stringify(value)}`);
  return [
    `name: ${name}`,
    'state: ./state             # encrypted key, accepted members, ledger',
    'data:                      # paths are relative to this file; the rows never leave this process',
    '  kind: idx',
    `  images: ${set}-images.idx3-ubyte`,
    `  labels: ${set}-labels.idx1-ubyte`,
    'policy:                    # exactly the plan of this demo; anything else is refused',
    ...rules,
    '',
  ].join('\n');
}
