/** From a training plan to the plan that asks partners for the sums behind its constants (PROTOCOL.md 5.8). */
import { createHash } from 'node:crypto';
import { type Column, canonicalJson, type Plan, parsePlan, TributaryError } from '@tributary/protocol';

export interface MomentsPlanOptions {
  /** Rough range of columns by name, in their own units; without one it follows from the column's transform. */
  readonly ranges?: Readonly<Record<string, readonly [min: number, max: number]>>;
  /** About as many rows as the largest partner has, or more; `aggregation.weightCap` of the plan unless given. */
  readonly rows?: number;
  readonly seed?: number;
}

/** Standard deviations on either side of the mean that a `standardise` transform is taken to say something about. */
const REACH = 4;

/**
 * A plan of one round whose model is one `Moments` layer. It adds up the columns that have a range: a `minmax` transform
 * states one, a `standardise` transform implies one, and `ranges` overrides both. All other columns are left out.
 * @throws TributaryError plan-invalid when no column has a range, or `ranges` names one that is none
 */
export function momentsPlan(plan: Plan, options: MomentsPlanOptions = {}): Plan {
  const { rows = plan.aggregation.weightCap, seed = plan.seed, ranges = {} } = options;
  const columns = columnsOf(plan);
  requireKnown(columns, ranges);
  const summed = columns.flatMap((column): Column[] => {
    const range = ranges[column.name] ?? impliedRange(column);
    return range ? [{ ...column, transform: centred(column.name, range) }] : [];
  });
  if (summed.length === 0)
    throw new TributaryError('plan-invalid', 'No column of the plan says in which range it lies.', {
      remedy:
        'Give columns a transform {kind: minmax, min, max} with rough round numbers; those are added up.',
    });
  const { aggregation, cohort, timing } = plan;
  return parsePlan({
    name: `${plan.name.slice(0, 92)}-moments`,
    description:
      `Adds up count, sum and sum of squares of ${summed.length} columns, for the constants of plan ${plan.name}. ` +
      'Trains nothing.',
    model: { topology: topologyOf(summed, rows) },
    features: { kind: 'table', columns: summed, label: { kind: 'features' } },
    training: { optimizer: { name: 'sgd', learningRate: 1 }, loss: 'meanSquaredError' },
    aggregation: {
      mode: aggregation.mode,
      collusion: aggregation.collusion,
      weights: 'uniform',
      clip: clipFor(summed.length),
    },
    ...{ cohort, timing, seed },
    rounds: 1,
    holdout: 0,
  });
}

/** Names of the columns that a moments plan of this plan adds up. @throws as `momentsPlan` */
export function columnsOf({ features }: Plan): readonly Column[] {
  if (features.kind === 'table' || features.kind === 'series') return features.columns;
  throw new TributaryError(
    'plan-invalid',
    `features: kind ${features.kind} has no columns; only those of table and series can be standardised.`,
    { remedy: 'Images have `scale`, `mean` and `std` in the plan; words need none.' },
  );
}

function requireKnown(columns: readonly Column[], ranges: NonNullable<MomentsPlanOptions['ranges']>): void {
  for (const [name, [min, max]] of Object.entries(ranges)) {
    const column = columns.find((each) => each.name === name);
    if (!column || column.transform.kind === 'onehot')
      throw new TributaryError('plan-invalid', `ranges: the plan has no column of numbers "${name}".`, {
        remedy: `Columns: ${columns.map((each) => each.name).join(', ')}.`,
      });
    if (!(min < max))
      throw new TributaryError('plan-invalid', `ranges: ${name} has min ${min} not below max ${max}.`);
  }
}

function impliedRange({ transform }: Column): readonly [number, number] | undefined {
  if (transform.kind === 'minmax') return [transform.min, transform.max];
  if (transform.kind !== 'standardise') return undefined;
  const reach = REACH * transform.std;
  return [transform.mean - reach, transform.mean + reach];
}

/** From -1 to 1 over the range: near 0 the spread does not drown in the square of the mean. */
function centred(name: string, [min, max]: readonly [number, number]): Column['transform'] {
  const middle = (min + max) / 2;
  if (!(middle < max))
    throw new TributaryError(
      'plan-invalid',
      `features: column ${name} has an empty range, ${min} to ${max}.`,
      {
        remedy: 'State a rough range with min below max.',
      },
    );
  return { kind: 'minmax', min: middle, max };
}

/** In units of `rows`, a partner with so many rows within their ranges adds at most 1 to each of 1 + 2d weights. */
function clipFor(columns: number): number {
  return Math.ceil(1000 * Math.sqrt(1 + 2 * columns)) / 1000;
}

/**
 * The layer's name decides its initial weights together with the plan's seed. It changes with what is asked, so that a
 * corrected plan can be asked at once, while for the same question partners sit out (PROTOCOL.md 6.8).
 */
function topologyOf(columns: readonly Column[], rows: number) {
  const question = createHash('sha256').update(canonicalJson({ columns, rows })).digest('hex').slice(0, 12);
  return {
    class_name: 'Sequential',
    config: {
      name: 'moments',
      layers: [
        {
          class_name: 'Moments',
          config: { name: `moments_${question}`, rows, batch_input_shape: [null, columns.length] },
        },
      ],
    },
  };
}
