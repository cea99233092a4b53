/**
 * A training plan: what is trained, on which features, how it is aggregated (PROTOCOL.md 5).
 * Declarative, canonical and hashed: partners approve the hash, and never run code that a coordinator shipped.
 */
import { type Static, Type, Value } from '@tributary/protocol/typebox';
import type { Crypto } from './crypto/port.ts';
import { canonicalJson } from './encoding.ts';
import { TributaryError } from './errors.ts';
import { Features, featuresFault } from './features.ts';
import { hashStatement } from './identity.ts';
import { FLOORS, LIMITS } from './limits.ts';
import { Closed, Name, validate } from './schema.ts';

const Positive = (maximum: number) => Type.Number({ exclusiveMinimum: 0, maximum });
const Fraction = (options: object) => Type.Number({ minimum: 0, maximum: 1, ...options });

export const Optimizer = Type.Union([
  Closed({ name: Type.Literal('sgd'), learningRate: Positive(1000) }),
  Closed({
    name: Type.Literal('adam'),
    learningRate: Positive(1000),
    beta1: Fraction({ default: 0.9 }),
    beta2: Fraction({ default: 0.999 }),
    epsilon: Type.Number({ exclusiveMinimum: 0, maximum: 1, default: 1e-7 }),
  }),
]);

export const Training = Closed({
  optimizer: Optimizer,
  loss: Type.Enum([
    'sparseCategoricalCrossentropy',
    'categoricalCrossentropy',
    'binaryCrossentropy',
    'meanSquaredError',
  ]),
  /** Measured beside the loss on every hold-out; their weighted sums ride in the masked vector. */
  metrics: Type.Array(Type.Enum(['accuracy', 'meanAbsoluteError']), {
    maxItems: 4,
    uniqueItems: true,
    default: [],
  }),
  epochs: Type.Integer({ minimum: 1, maximum: LIMITS.epochs, default: 1 }),
  batchSize: Type.Integer({ minimum: 1, maximum: LIMITS.batch, default: 32 }),
  /** Penalties added to the loss over all kernels (not biases): l1 * sum|w| + l2 * sum w^2. */
  l1: Type.Number({ minimum: 0, maximum: 10, default: 0 }),
  l2: Type.Number({ minimum: 0, maximum: 10, default: 0 }),
});

export const Aggregation = Closed({
  /** `plain` shows every update to the coordinator: for tests and comparison; the default policy refuses it. */
  mode: Type.Enum(['secure', 'plain'], { default: 'secure' }),
  strategy: Closed({ name: Type.Enum(['fedavg'], { default: 'fedavg' }) }),
  /** L2 bound on one partner's update (w_k - w); a longer one is scaled down, the number of clipped ones is summed. */
  clip: Positive(1e6),
  /** Largest absolute value of one coordinate; at most `clip`, which is the default. Smaller = finer grid. */
  coordinateBound: Type.Optional(Positive(1e6)),
  /** W: a partner's weight counts at most this much, and quantisation is relative to it: best near the largest weight. */
  weightCap: Type.Integer({ minimum: 1, maximum: LIMITS.weightCap, default: 1000 }),
  /** exact: sample count; bucketed: power of two below it; uniform: 1 each. */
  weights: Type.Enum(['exact', 'bucketed', 'uniform'], { default: 'exact' }),
  /** c: partners assumed to collude with the coordinator. */
  collusion: Type.Integer({ minimum: FLOORS.collusion, maximum: LIMITS.cohort, default: FLOORS.collusion }),
});

export const PlanSchema = Closed({
  name: Name,
  description: Type.Optional(Type.String({ maxLength: 2000 })),
  model: Closed({
    /** tfjs layers topology, `{class_name, config}`, as `model.toJSON(null, false)` writes it. */
    topology: Closed({
      class_name: Type.Enum(['Sequential', 'Model', 'Functional']),
      config: Type.Unknown(),
    }),
  }),
  features: Features,
  training: Training,
  aggregation: Aggregation,
  cohort: Closed({
    /** Partners that must have consented, and remain in U1, or the attempt does not go on. */
    min: Type.Integer({ minimum: FLOORS.members, maximum: LIMITS.cohort }),
    max: Type.Integer({ minimum: FLOORS.members, default: LIMITS.cohort }),
    /** Survivors (U3) that a sum must hold at least; partners whose policy asks for more refuse the plan. */
    minSum: Type.Integer({ minimum: FLOORS.members, maximum: LIMITS.cohort, default: FLOORS.members }),
  }),
  rounds: Type.Integer({ minimum: 1, maximum: LIMITS.rounds }),
  /** Share of each partner's rows kept aside to evaluate the incoming model. */
  holdout: Type.Number({ minimum: 0, maximum: 0.5, default: 0.1 }),
  /** Governs initial weights and selection only; local randomness is each partner's own. */
  seed: Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, default: 1 }),
  earlyStop: Type.Optional(
    Closed({
      /** `loss` falls, a metric rises (`meanAbsoluteError` falls); read from the hold-out sums. */
      metric: Type.Enum(['loss', 'accuracy', 'meanAbsoluteError'], { default: 'loss' }),
      /** Rounds without an improvement of at least `minDelta`. */
      patience: Type.Integer({ minimum: 1, maximum: 1000, default: 3 }),
      minDelta: Type.Number({ minimum: 0, default: 0 }),
    }),
  ),
  timing: Closed({
    /** Seconds without progress before a phase gives up waiting. */
    patience: Type.Number({ minimum: 1, maximum: 86_400, default: 60 }),
    /** Seconds after a quorum has answered before a phase closes without the stragglers. */
    grace: Type.Number({ minimum: 0, maximum: 86_400, default: 10 }),
    /** Seconds that one phase may last whatever progresses. */
    maximum: Type.Number({ minimum: 1, maximum: 604_800, default: 3600 }),
  }),
});

export type Plan = Static<typeof PlanSchema>;

/** Branches that may be left out whole, because every field in them has a default. */
const EMPTY_BRANCHES = { timing: {}, aggregation: { strategy: {} } } as const;

/**
 * Fills defaults in and checks a plan as an operator wrote it, or as it came over the wire.
 * @throws plan-invalid, cohort-too-large
 */
export function parsePlan(raw: unknown): Plan {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new TributaryError('plan-invalid', 'A plan is an object; see the example in the README.');
  checkNesting(raw);
  const given = structuredClone(raw) as Record<string, unknown>;
  given.timing ??= { ...EMPTY_BRANCHES.timing };
  const aggregation = given.aggregation as Record<string, unknown> | undefined;
  if (aggregation && typeof aggregation === 'object') aggregation.strategy ??= {};
  const plan = validate(PlanSchema, Value.Default(PlanSchema, given), 'plan', 'plan-invalid');
  checkConsistency(plan);
  return plan;
}

/** Before anything calls itself for each level. A key `__proto__` would be a setting to some readers, and none to others. */
function checkNesting(raw: object): void {
  const open: [value: object, depth: number][] = [[raw, 1]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [value, depth] = next;
    if (depth > LIMITS.nesting)
      throw new TributaryError('plan-invalid', `plan: nested more than ${LIMITS.nesting} deep.`);
    if (Object.hasOwn(value, '__proto__'))
      throw new TributaryError('plan-invalid', 'plan: a key is "__proto__".');
    for (const child of Object.values(value))
      if (typeof child === 'object' && child !== null) open.push([child, depth + 1]);
  }
}

function checkConsistency(plan: Plan): void {
  const { cohort, aggregation, timing } = plan;
  const invalid = (message: string): never => {
    throw new TributaryError('plan-invalid', `plan: ${message}`);
  };
  if (cohort.max > LIMITS.cohort)
    throw new TributaryError(
      'cohort-too-large',
      `plan: cohort.max is ${cohort.max}, the limit is ${LIMITS.cohort}.`,
    );
  if (cohort.min > cohort.max) invalid(`cohort.min ${cohort.min} is above cohort.max ${cohort.max}`);
  if (cohort.minSum > cohort.min) invalid(`cohort.minSum ${cohort.minSum} is above cohort.min ${cohort.min}`);
  if (aggregation.collusion > cohort.min - 2)
    invalid(
      `aggregation.collusion ${aggregation.collusion} leaves fewer than two honest partners of ${cohort.min}`,
    );
  if ((aggregation.coordinateBound ?? 0) > aggregation.clip)
    invalid(`aggregation.coordinateBound ${aggregation.coordinateBound} is above clip ${aggregation.clip}`);
  if (timing.patience > timing.maximum)
    invalid(`timing.patience ${timing.patience} s is above timing.maximum ${timing.maximum} s`);
  const stop = plan.earlyStop?.metric;
  if (stop && stop !== 'loss' && !plan.training.metrics.includes(stop))
    invalid(`earlyStop.metric ${stop} is not among training.metrics`);
  if (stop && plan.holdout === 0) invalid('earlyStop needs a hold-out, and holdout is 0');
  const fault = featuresFault(plan.features);
  if (fault) invalid(fault);
  if (canonicalJson(plan).length > LIMITS.plan)
    throw new TributaryError('too-large', `plan: more than ${LIMITS.plan} characters.`);
}

/** What partners approve. Hex SHA-256 of the canonical plan. */
export function planHash(crypto: Crypto, plan: Plan): string {
  return hashStatement(crypto, 'plan', plan);
}

/** Hash of the architecture alone, for policies that allow any plan on a known network. */
export function topologyHash(crypto: Crypto, plan: Plan): string {
  return hashStatement(crypto, 'topology', plan.model.topology);
}

/** Scalars that ride in the masked vector behind the model, in this order (PROTOCOL.md 6). */
export function scalarNames(plan: Plan): readonly string[] {
  return [
    'weight',
    'trainingLoss',
    'clipped',
    'holdoutCount',
    'holdoutLoss',
    ...plan.training.metrics.map((m) => `holdout.${m}`),
  ];
}

/** W of the quantisation: what a partner's weight is divided by. Uniform weights are all 1, whatever the plan's cap. */
export function weightCapOf({ aggregation }: Pick<Plan, 'aggregation'>): number {
  return aggregation.weights === 'uniform' ? 1 : aggregation.weightCap;
}

/** Fixed-point steps per unit of a scalar in the masked vector: counts are whole, losses and metrics have 16 binary places. */
export function scalarScale(name: string): number {
  return name === 'weight' || name === 'clipped' || name === 'holdoutCount' ? 1 : 2 ** 16;
}
