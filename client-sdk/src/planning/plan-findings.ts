/** What is unusual about a plan that is valid. Each rule has a usual range and says where it comes from. */
import type { Plan } from '@tributary/protocol';
import { dropoutsSurvived, explainDropouts } from '@tributary/protocol/secagg';
import { layersIn } from '../trainer/model/topology-tree.ts';
import type { Estimate } from './estimate.ts';
import { type Finding, finding } from './finding.ts';
import { niceAbove, rounded } from './nice-numbers.ts';

export interface PlanFacts {
  readonly estimate: Estimate;
  /** L2 norm of the initial weights. */
  readonly norm: number;
  /** False for models whose weights are no parameters, such as those of standardisation. */
  readonly trains: boolean;
}

type Rule = (plan: Plan, facts: PlanFacts) => Finding | undefined;

export function planFindings(plan: Plan, facts: PlanFacts): Finding[] {
  const rules = facts.trains ? [...SAFETY, ...LEARNING] : SAFETY;
  return rules.flatMap((rule) => rule(plan, facts) ?? []);
}

const warning = (rule: string, message: string, remedy: string) => finding('warning', rule, message, remedy);
const note = (rule: string, message: string, remedy: string) => finding('note', rule, message, remedy);

const SAFETY: readonly Rule[] = [
  ({ aggregation }) =>
    aggregation.mode === 'plain'
      ? warning(
          'plain',
          "The coordinator sees every partner's own update, and most policies refuse that.",
          'Set aggregation.mode to secure.',
        )
      : undefined,
  ({ cohort, aggregation }) => {
    const { min } = cohort;
    const { collusion } = aggregation;
    const survived = dropoutsSurvived(min, collusion, cohort.minSum);
    return survived === 0
      ? warning(
          'no-dropout',
          `With ${min} partners a single drop-out ends the attempt: ${explainDropouts(min, collusion, cohort.minSum, 1)}.`,
          'Raise cohort.min, or keep it below the number of partners that usually take part.',
        )
      : undefined;
  },
  ({ cohort, aggregation }) =>
    cohort.min < 5
      ? warning(
          'few-partners',
          `With ${cohort.min} partners, ${cohort.min - 1} of them together know the update of the last one; ` +
            `only ${aggregation.collusion} working with the coordinator is assumed.`,
          'Set cohort.min to 5 or more; policies refuse less unless their owners allow it.',
        )
      : undefined,
  ({ timing }, { estimate }) =>
    estimate.seconds.slow > timing.maximum
      ? warning(
          'too-slow',
          `A slow partner with ${estimate.rows} rows trains for about ${Math.round(estimate.seconds.slow)} s, ` +
            `and a phase ends after timing.maximum, ${timing.maximum} s.`,
          'Raise timing.maximum, lower training.epochs, or take a smaller model.',
        )
      : undefined,
  (_, { estimate }) =>
    estimate.traffic.up > 100e6
      ? warning(
          'large-update',
          `Every partner sends ${Math.round(estimate.traffic.up / 1e6)} MB in each round.`,
          'Take a smaller model, or more training.epochs and fewer rounds.',
        )
      : undefined,
];

/** Usual learning rates: below, nothing moves in a run; above, most networks diverge. */
const RATES = { sgd: [1e-3, 1], adam: [1e-5, 0.05] } as const;

const LEARNING: readonly Rule[] = [
  ({ training: { optimizer } }) => {
    const [low, high] = RATES[optimizer.name];
    const { learningRate: rate } = optimizer;
    if (rate >= low && rate <= high) return undefined;
    return warning(
      'learning-rate',
      `training.optimizer.learningRate ${rate} is ${rate < low ? 'below' : 'above'} the usual ${low} to ${high} of ${optimizer.name}.`,
      rate < low
        ? `The model will hardly change; try ${10 * low}.`
        : `The loss may grow without bound; try ${high / 10}.`,
    );
  },
  ({ aggregation: { clip } }, { norm }) => {
    const size = Math.max(1, norm);
    const usual = niceAbove(size / 2);
    const says = `aggregation.clip ${clip} is far ${clip < size ? 'below' : 'above'} the length of the initial weights, ${rounded(norm)}`;
    if (clip < 0.02 * size)
      return warning('clip-small', `${says}: nearly every update will be scaled down.`, `Try ${usual}.`);
    return clip > 10 * size
      ? warning(
          'clip-large',
          `${says}: one bad update can spoil the model, and the grid is coarse.`,
          `Try ${usual}.`,
        )
      : undefined;
  },
  ({ aggregation: { weights, weightCap } }, { estimate: { rows } }) => {
    if (weights === 'uniform') return undefined;
    if (weightCap < rows)
      return warning(
        'weight-cap',
        `aggregation.weightCap ${weightCap} is below ${rows} rows: what a partner has beyond it does not count.`,
        `Set it just above the largest partner's rows, such as ${Math.ceil(rows / 1000) * 1000}.`,
      );
    return weightCap > 20 * Math.max(rows, 50)
      ? warning(
          'weight-cap',
          `aggregation.weightCap ${weightCap} is far above ${rows} rows: updates use a small part of the number range.`,
          "Set it just above the largest partner's rows; pass --rows if partners have more.",
        )
      : undefined;
  },
  ({ holdout }) =>
    holdout === 0
      ? warning(
          'no-holdout',
          'holdout is 0: no partner measures the model, and earlyStop is not possible.',
          'Set holdout to 0.1, or run an evaluator node on public data.',
        )
      : undefined,
  ({ holdout, cohort }, { estimate: { rows } }) =>
    holdout > 0 && rows * holdout * cohort.min < 50
      ? note(
          'small-holdout',
          `The hold-outs of ${cohort.min} partners with ${rows} rows are ${Math.floor(rows * holdout) * cohort.min} rows in all: metrics will jump.`,
          'Raise holdout, or read several rounds together.',
        )
      : undefined,
  ({ earlyStop, rounds }) =>
    earlyStop && earlyStop.patience >= rounds
      ? warning(
          'early-stop',
          `earlyStop.patience ${earlyStop.patience} is not below rounds ${rounds}: it never stops.`,
          'Lower it, or leave earlyStop out.',
        )
      : undefined,
  ({ earlyStop, rounds, holdout }) =>
    !earlyStop && rounds > 50 && holdout > 0
      ? note(
          'no-early-stop',
          `${rounds} rounds without earlyStop.`,
          'Add `earlyStop: { metric: loss, patience: 5 }`.',
        )
      : undefined,
  ({ training: { batchSize }, holdout }, { estimate: { rows } }) =>
    batchSize > rows * (1 - holdout)
      ? warning(
          'batch-size',
          `training.batchSize ${batchSize} is above the ${Math.floor(rows * (1 - holdout))} rows that are trained on: one step in an epoch.`,
          'Lower training.batchSize, or pass --rows if partners have more.',
        )
      : undefined,
  ({ training: { epochs } }) =>
    epochs > 20
      ? warning(
          'epochs',
          `training.epochs ${epochs}: partners drift apart when they train that long alone.`,
          'Take 1 to 5 epochs and more rounds (McMahan et al. 2017).',
        )
      : undefined,
  ({ training: { l1, l2 } }) =>
    l1 > 0.1 || l2 > 0.1
      ? warning(
          'penalty',
          `training.l1 ${l1}, l2 ${l2}: the penalty will outweigh the loss.`,
          'Try 0.001 or less.',
        )
      : undefined,
  ({ model }) => {
    const high = layersIn(model.topology).find(
      ({ className, config }) => /Dropout$/.test(className) && Number(config.rate ?? 0) > 0.6,
    );
    return high
      ? warning(
          'dropout',
          `Layer "${high.config.name}" drops ${rounded(100 * Number(high.config.rate))} % of its inputs.`,
          'Usual rates are 0.1 to 0.5.',
        )
      : undefined;
  },
  ({ model }) => {
    const normal = layersIn(model.topology).find(({ className }) => className === 'BatchNormalization');
    return normal
      ? warning(
          'batch-normalization',
          `Layer "${normal.config.name}" keeps means of each partner's batches, and they are averaged like weights.`,
          'Where partners hold different data, take LayerNormalization.',
        )
      : undefined;
  },
  (_, { estimate: { parameters, rows } }) =>
    parameters > 1000 * rows
      ? note(
          'large-model',
          `${parameters.toLocaleString('en-US')} parameters for ${rows} rows of one partner: it may learn them by heart.`,
          'Add Dropout, or take a smaller model.',
        )
      : undefined,
];
