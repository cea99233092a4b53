/** The commented YAML files that a split writes for people to read and change. */
import type { Plan } from '@tributary/protocol';
import { Document, isMap, isScalar, visit } from 'yaml';
import type { DataSource } from './dataset.ts';

export interface NodeFile {
  readonly name: string;
  readonly data: DataSource;
  /** Null for evaluators: they hold public data, so no policy is needed. */
  readonly minRoster: number | null;
}

/** node.yaml: one node's data, and a partner's policy. */
export function nodeYaml({ name, data, minRoster }: NodeFile): string {
  const lines = Object.entries(data).map(([field, value]) => `  ${field}: ${value}`);
  return `\
name: ${name}            # for people
state: ./state             # identity (encrypted), pins, ledger; made by \`tributary node init\`
data:                      # paths are relative to this file; the rows never leave this machine
${lines.join('\n')}
${minRoster === null ? '' : partnerPolicy(minRoster)}`;
}

function partnerPolicy(minRoster: number): string {
  const three =
    minRoster === 3 ? ' Three partners: no drop-out survived, and two partners together know the third.' : '';
  return `\
policy:                    # default deny; only this file and its owner decide
  plans: ask               # ask | [ {plan: HASH} | {topology: HASH} ] ; anything else is refused
  aggregation: secure      # secure | allow-plain (tests only)
  minRoster: ${minRoster}             # fewer members than this and this node refuses.${three}
  minSum: 3                # fewer survivors in a sum than this and this node does not unmask it
  collusion: 1             # partners assumed to work together with the coordinator
  maxRounds: 100           # of one run
`;
}

/** Lists of plain values and the transforms of columns stand on one line. */
export function yamlText(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every(isScalar);
    },
    Pair: (_, { key, value }) => {
      if (isScalar(key) && key.value === 'transform' && isMap(value)) value.flow = true;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).trimEnd();
}

function indented(value: unknown, spaces: number): string {
  return yamlText(value).replaceAll(/^/gm, ' '.repeat(spaces));
}

/** plan.yaml: a plan that a split made, with the reasons. What it leaves out is at its default. */
export function planYaml(plan: Plan): string {
  const { training, aggregation, cohort, features } = plan;
  return `\
# A training plan: data, never code. Start it with \`tributary runs start plan.yaml\`; partners approve its hash.
name: ${plan.name}
description: ${plan.description}
model:
  topology:                # tfjs layers, as model.toJSON(null, false) writes it; initial weights come from the seed
${indented(plan.model.topology, 4)}
features:                  # every partner prepares its rows alike
${indented(features, 2)}
training:
  optimizer:
${indented(training.optimizer, 4)}
  loss: ${training.loss}
  metrics: [${training.metrics.join(', ')}]      # measured on the hold-outs; only their sum over all partners is seen
  epochs: ${training.epochs}                # passes over a partner's own rows in one round
  batchSize: ${training.batchSize}
aggregation:
  mode: secure             # the coordinator learns the sum and nothing else
  strategy: { name: fedavg }
  clip: ${aggregation.clip}                 # L2 bound on one partner's update; a longer one is scaled down
  weightCap: ${aggregation.weightCap}          # a partner's rows count at most this much; best just above the largest partner
  weights: exact           # exact | bucketed | uniform
  collusion: ${aggregation.collusion}             # partners assumed to work together with the coordinator
cohort:
  min: ${cohort.min}                   # fewer and a round does not start
rounds: ${plan.rounds}
holdout: ${plan.holdout}               # share of each partner's rows kept aside to measure the incoming model
seed: ${plan.seed}                    # of the initial weights; each partner's own randomness is its own
`;
}

/** The file of a plan that `momentsPlan` made. @param source where the training plan stands */
export function momentsYaml(plan: Plan, source: string): string {
  const { name, description, model, features, training, aggregation, cohort, timing } = plan;
  return `\
# One round in which nothing is trained: partners add up count, sum and sum of squares of columns (PROTOCOL.md 5.8).
# The coordinator learns the sums over all partners and nobody's own. Made from ${source}.
name: ${name}
description: ${description}
model:
${indented(model, 2)}
features:                  # minmax from the middle of a column's range to its end: -1 to 1, so that squares stay exact
${indented(features, 2)}
training:                  # of no effect
${indented({ optimizer: training.optimizer, loss: training.loss }, 2)}
aggregation:
  mode: ${aggregation.mode}
  weights: uniform         # sums are added as they are
  clip: ${aggregation.clip}              # sums above it are refused: more than \`rows\` rows, or values outside their range
  collusion: ${aggregation.collusion}
cohort:
${indented(cohort, 2)}
rounds: 1                  # one pass, one sum
holdout: 0                 # over all rows
seed: ${plan.seed}                    # another one asks the same again: whoever sent these sums once sits out otherwise
timing:
${indented(timing, 2)}
`;
}
