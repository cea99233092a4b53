/** A policy's word on a plan: the same judge when a run is proposed and again at every announcement. */
import { type Crypto, type ErrorCode, type Plan, planHash, topologyHash } from '@tributary/protocol';
import { addsUp } from '../trainer/model/moments-checks.ts';
import type { AllowedPlan, PartnerPolicy, Policy } from './policy.ts';

export interface PlanHashes {
  readonly plan: string;
  readonly topology: string;
}

export function hashesOf(crypto: Crypto, plan: Plan): PlanHashes {
  return { plan: planHash(crypto, plan), topology: topologyHash(crypto, plan) };
}

/** What the owner said about plans, by plan hash. */
export type Decision = 'approved' | 'refused';
export type Approvals = ReadonlyMap<string, Decision>;

export interface Refusal {
  readonly verdict: 'refuse';
  readonly code: Extract<ErrorCode, 'policy-refused'>;
  /** The rule of the policy that says no, as it is named in node.yaml. */
  readonly rule: string;
  /** What the plan asks for. */
  readonly value: string | number;
  /** For people on both sides: rule, value, and who can change what. */
  readonly message: string;
}

export type Verdict = { readonly verdict: 'allow' } | { readonly verdict: 'ask' } | Refusal;

/** Default deny: a plan is allowed only where no rule says no and the rule `plans` says yes. */
export function judge(policy: Policy, plan: Plan, hashes: PlanHashes, approvals: Approvals): Verdict {
  const limits = policy.role === 'partner' ? judgeLimits(policy, plan) : null;
  return limits ?? judgePlan(policy.plans, hashes, approvals, addsUp(plan));
}

const OWNER = 'Only the owner of this node can change its policy';

function refuse(rule: string, value: string | number, message: string): Refusal {
  return { verdict: 'refuse', code: 'policy-refused', rule, value, message };
}

function judgeLimits(policy: PartnerPolicy, plan: Plan): Refusal | null {
  const { aggregation, cohort, rounds } = plan;
  if (aggregation.mode === 'plain' && policy.aggregation !== 'allow-plain')
    return refuse(
      'aggregation',
      aggregation.mode,
      `aggregation is ${policy.aggregation}: the plan's aggregation.mode plain would show this partner's update ` +
        `to the coordinator. ${OWNER}; the operator can set aggregation.mode to secure.`,
    );
  const least = (rule: 'minRoster' | 'minSum' | 'collusion', field: string, value: number): Refusal | null =>
    value >= policy[rule]
      ? null
      : refuse(
          rule,
          value,
          `${rule} is ${policy[rule]}: the plan's ${field} is only ${value}. ${OWNER}; the operator can raise ${field}.`,
        );
  const tooFew =
    least('minRoster', 'cohort.min', cohort.min) ??
    least('minSum', 'cohort.minSum', cohort.minSum) ??
    least('collusion', 'aggregation.collusion', aggregation.collusion);
  if (tooFew) return tooFew;
  if (rounds > policy.maxRounds)
    return refuse(
      'maxRounds',
      rounds,
      `maxRounds is ${policy.maxRounds}: the plan has ${rounds} rounds. ${OWNER}; the operator can lower rounds.`,
    );
  if (!policy.weights.includes(aggregation.weights))
    return refuse(
      'weights',
      aggregation.weights,
      `weights allows ${policy.weights.join(', ')}: the plan's aggregation.weights is ${aggregation.weights}. ` +
        `${OWNER}; the operator can change aggregation.weights.`,
    );
  return null;
}

function judgePlan(
  plans: Policy['plans'],
  { plan, topology }: PlanHashes,
  approvals: Approvals,
  adds: boolean,
): Verdict {
  const decision = approvals.get(plan);
  if (decision === 'refused')
    return refuse(
      'plans',
      plan,
      `plans: the owner of this node refused plan ${plan}; only the owner can change that (\`tributary node approve\`).`,
    );
  if (plans === 'any') return { verdict: 'allow' };
  if (plans === 'ask') return decision === 'approved' ? { verdict: 'allow' } : { verdict: 'ask' };
  const listed = (entry: AllowedPlan): boolean =>
    'plan' in entry ? entry.plan === plan : entry.topology === topology && !adds;
  if (plans.some(listed)) return { verdict: 'allow' };
  if (adds)
    return refuse(
      'plans',
      plan,
      `plans does not list plan ${plan}, which adds up columns, exactly: its topology says nothing about which. ` +
        `${OWNER}: it can list its plan hash, or say \`plans: ask\`.`,
    );
  const allows = plans.length === 0 ? 'allows no plan' : `lists ${plans.length}, not this one`;
  return refuse(
    'plans',
    plan,
    `plans ${allows}: plan ${plan} on topology ${topology} is refused. ` +
      `${OWNER}: it can list that hash, or say \`plans: ask\`.`,
  );
}
