/**
 * What a partner allows, as `policy:` in its node.yaml. The owner of the node writes it, the node itself enforces it,
 * and nothing that the coordinator sends can change it. What is not allowed is denied.
 */
import {
  Closed,
  canonicalJson,
  FLOORS,
  Hash,
  LIMITS,
  type Member,
  TributaryError,
  validate,
} from '@tributary/protocol';
import { type Static, Type, Value } from '@tributary/protocol/typebox';

/** One plan exactly, or every plan that trains this one network. */
export const AllowedPlan = Type.Union([Closed({ plan: Hash }), Closed({ topology: Hash })]);
export type AllowedPlan = Static<typeof AllowedPlan>;

const WEIGHTS = ['exact', 'bucketed', 'uniform'] as const;
const Plans = Type.Union([Type.Literal('ask'), Type.Array(AllowedPlan, { maxItems: 1000 })]);
const Members = (options: object) =>
  Type.Integer({ minimum: FLOORS.members, maximum: LIMITS.cohort, ...options });

const Rotation = Type.Enum(['ask', 'follow'], { default: 'ask' });

const PartnerRules = Closed({
  /** `ask`: the owner decides with `tributary node approve HASH`. Missing: nothing is allowed. */
  plans: Type.Union([Type.Literal('ask'), Type.Array(AllowedPlan, { maxItems: 1000 })], { default: [] }),
  /** `allow-plain` lets the coordinator see this partner's update wherever a plan says so. */
  aggregation: Type.Enum(['secure', 'allow-plain'], { default: 'secure' }),
  /** Least partners (accepted ones) in U1 and U2. */
  minRoster: Members({ default: 5 }),
  /** Least partners (accepted ones) in a sum. */
  minSum: Members({ default: 3 }),
  /** c: partners assumed to collude with the coordinator. */
  collusion: Type.Integer({
    minimum: FLOORS.collusion,
    maximum: LIMITS.cohort - 2,
    default: FLOORS.collusion,
  }),
  maxRounds: Type.Integer({ minimum: 1, maximum: LIMITS.rounds, default: 100 }),
  /** When an accepted key signs for a successor: `ask` leaves it to the owner, `follow` accepts it in its place. */
  rotation: Rotation,
  /** How a plan may weigh this partner's update. */
  weights: Type.Array(Type.Enum([...WEIGHTS]), { minItems: 1, uniqueItems: true, default: [...WEIGHTS] }),
});

/** Evaluator nodes hold public data, so plans are all there is to restrict; missing: all are allowed. */
const EvaluatorRules = Closed({ plans: Type.Optional(Plans), rotation: Type.Optional(Rotation) });

export interface PartnerPolicy extends Readonly<Static<typeof PartnerRules>> {
  readonly role: 'partner';
}

export interface EvaluatorPolicy {
  readonly role: 'evaluator';
  readonly plans: 'any' | 'ask' | readonly AllowedPlan[];
  /** Of the coordinator's key. */
  readonly rotation: 'ask' | 'follow';
}

export type Policy = PartnerPolicy | EvaluatorPolicy;

/**
 * @param raw the `policy:` of node.yaml; `undefined` or `null` where it is missing.
 * @throws malformed naming the rule and its value.
 */
export function parsePolicy(raw: unknown, role: 'partner'): PartnerPolicy;
export function parsePolicy(raw: unknown, role: Member['role']): Policy;
export function parsePolicy(raw: unknown, role: Member['role']): Policy {
  // What is nested without end has no copy either.
  canonicalJson(raw ?? {});
  const given = structuredClone(raw ?? {});
  if (role === 'evaluator') {
    const { plans = 'any', rotation = 'ask' } = validate(EvaluatorRules, given, 'policy of an evaluator');
    return { role, plans, rotation };
  }
  const rules = validate(PartnerRules, Value.Default(PartnerRules, given), 'policy');
  if (rules.minSum > rules.minRoster)
    throw new TributaryError(
      'malformed',
      `policy: minSum ${rules.minSum} is above minRoster ${rules.minRoster}: a sum never holds more than the roster.`,
    );
  if (rules.collusion > rules.minRoster - 2)
    throw new TributaryError(
      'malformed',
      `policy: collusion ${rules.collusion} leaves fewer than two honest partners of minRoster ${rules.minRoster}.`,
    );
  return { role, ...rules };
}
