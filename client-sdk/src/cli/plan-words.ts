/** A plan in plain words, for the person who has to say yes or no to it. */
import type { Column, Features, Plan } from '@tributary/protocol';
import { momentsLayerOf } from '../trainer/model/moments-checks.ts';
import { isObject, layersIn } from '../trainer/model/topology-tree.ts';
import { plural } from './output.ts';

/** Label and text, one pair per line. @param parameters of the model, where they were counted */
export function planWords(plan: Plan, parameters?: number): [string, string][] {
  const { aggregation, cohort } = plan;
  const adds = momentsLayerOf(plan) !== undefined;
  const words: [string, string][] = [
    ...(adds ? momentsWords(plan) : trainingWords(plan, parameters)),
    ['aggregation', modeWords(aggregation.mode)],
    [
      'weights',
      adds ? 'sums are added as they are' : WEIGHT_WORDS[aggregation.weights](aggregation.weightCap),
    ],
    ['clip', `an update longer than ${aggregation.clip} (L2 norm) is scaled down to it`],
    [
      'cohort',
      `${cohort.min} partners or more, ${cohort.minSum} or more in a sum; ` +
        `${plural(aggregation.collusion, 'partner')} assumed to work together with the coordinator`,
    ],
  ];
  if (plan.earlyStop)
    words.push([
      'stops early',
      `after ${plural(plan.earlyStop.patience, 'round')} without better ${plan.earlyStop.metric}`,
    ]);
  return plan.description === undefined ? words : [['about', plan.description], ...words];
}

function trainingWords(plan: Plan, parameters: number | undefined): [string, string][] {
  const { training } = plan;
  const count = parameters === undefined ? '' : `; ${plural(parameters, 'parameter')}`;
  return [
    ['model', `${layerWords(plan).join(' -> ')}${count}`],
    ['features', featureWords(plan.features)],
    [
      'training',
      `${plural(plan.rounds, 'round')} of ${plural(training.epochs, 'epoch')} each, batches of ${training.batchSize}, ` +
        `${training.optimizer.name} at ${training.optimizer.learningRate}, ${training.loss}`,
    ],
    ['hold-out', holdoutWords(plan)],
  ];
}

/** A plan that trains nothing is to be told apart at once (PROTOCOL.md 5.8). */
function momentsWords({ features, aggregation }: Plan): [string, string][] {
  if (features.kind !== 'table') return [];
  const columns = features.columns.map((column) => column.name);
  const shown =
    aggregation.mode === 'secure'
      ? 'the number of rows of all partners together, and mean and spread of each column over all of them'
      : "EVERY PARTNER'S OWN NUMBER OF ROWS, MEANS AND SPREADS";
  return [
    ['asks', `adds up count, sum and sum of squares of ${plural(columns.length, 'column')}; trains nothing`],
    ['columns', few(columns)],
    ['shows', shown],
  ];
}

export function modeWords(mode: Plan['aggregation']['mode']): string {
  return mode === 'secure'
    ? "secure: the coordinator learns the sum over all partners and nobody's own update"
    : "PLAIN: THE COORDINATOR SEES EVERY PARTNER'S OWN UPDATE";
}

const WEIGHT_WORDS: Readonly<Record<Plan['aggregation']['weights'], (cap: number) => string>> = {
  exact: (cap) => `by number of rows, at most ${cap}; only the sum of all numbers is seen`,
  bucketed: (cap) => `by number of rows, cut to a power of two, at most ${cap}`,
  uniform: () => 'every partner counts the same',
};

function holdoutWords({ holdout, training }: Plan): string {
  if (holdout === 0) return 'none: the model is not measured at the partners';
  const measured = ['loss', ...training.metrics].join(', ');
  return `${percent(holdout)} of the rows measure the incoming model (${measured}); only sums over all partners are seen`;
}

function layerWords(plan: Plan): string[] {
  return layersIn(plan.model.topology).map(({ className, config }) => {
    const size = config.units ?? config.filters ?? config.rate;
    const parts = [className, size, activationName(config.activation)];
    return parts.filter((part) => part !== undefined && part !== null && part !== 'linear').join(' ');
  });
}

function activationName(activation: unknown): string | undefined {
  if (typeof activation === 'string') return activation;
  return isObject(activation) && typeof activation.class_name === 'string'
    ? activation.class_name
    : undefined;
}

function featureWords(features: Features): string {
  const target = targetWords(features);
  switch (features.kind) {
    case 'image': {
      const colors = features.channels === 1 ? 'grey' : 'colour';
      return `images of ${features.height} x ${features.width} pixels, ${colors}, ${target}`;
    }
    case 'table':
      return `columns ${few(features.columns.map(columnWords))}; to predict: ${target}`;
    case 'series':
      return (
        `columns ${few(features.columns.map(columnWords))}, ${plural(features.window, 'row')} at a time` +
        `${features.group === undefined ? '' : ` of one ${features.group}`}; to predict: ${target}`
      );
    case 'text':
      return (
        `the first ${plural(features.length, 'word')} of column ${features.column}, ` +
        `as one of ${features.buckets} numbers each; to predict: ${target}`
      );
  }
}

function targetWords(features: Features): string {
  if (features.kind === 'image')
    return features.label
      ? 'to be given back as they are; their class is not used'
      : `in classes ${few(features.classes)}`;
  const { label } = features;
  if (label.kind === 'features') return 'these columns themselves';
  if (label.kind === 'class') return `${label.name} (class ${few(label.classes)})`;
  const when = features.kind === 'series' ? `, ${plural(features.horizon, 'row')} later` : '';
  const { mean = 0, std = 1 } = label;
  const unit = mean === 0 && std === 1 ? '' : `, as (y - ${mean}) / ${std}: errors are in units of ${std}`;
  return `${label.name} (a number${when}${unit})`;
}

function columnWords({ name, transform }: Column): string {
  return transform.kind === 'identity' ? name : `${name} (${transform.kind})`;
}

/** Everything a partner should see is named; beyond that the count is told, never hidden. */
function few(words: readonly string[]): string {
  const shown = 40;
  if (words.length <= shown) return words.join(', ');
  return `${words.slice(0, shown).join(', ')} and ${words.length - shown} more (\`--json\` lists all)`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`;
}
