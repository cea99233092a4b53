/** Plans that add up instead of train (PROTOCOL.md 5.8): recognised by their topology, held to what makes their sums exact. */
import { type Plan, TributaryError } from '@tributary/protocol';
import { layersIn } from './topology-tree.ts';

export interface MomentsLayer {
  readonly name: string;
  /** What one unit of its weights stands for. */
  readonly rows: number;
}

/** The `Moments` layer of a plan that adds up, undefined of one that trains. */
export function momentsLayerOf({ model }: Pick<Plan, 'model'>): MomentsLayer | undefined {
  const found = layersIn(model.topology).find(({ className }) => className === 'Moments');
  return found && { name: String(found.config.name), rows: Number(found.config.rows ?? 1) };
}

/** Whether a node would answer with sums over its rows. A topology that cannot be read is refused before it is used. */
export function addsUp(plan: Pick<Plan, 'model'>): boolean {
  try {
    return momentsLayerOf(plan) !== undefined;
  } catch {
    return false;
  }
}

/** @throws TributaryError plan-invalid when a plan with a `Moments` layer asks for anything but one sum over all rows */
export function checkMoments(plan: Plan): void {
  const layer = momentsLayerOf(plan);
  if (!layer) return;
  const { features, training, aggregation } = plan;
  const wrong: (why: string) => never = (why) => {
    throw new TributaryError('plan-invalid', `model layer "${layer.name}": ${why}.`, {
      remedy: 'Make such a plan with `tributary plan moments plan.yaml`.',
    });
  };
  const others = layersIn(plan.model.topology).filter(
    ({ className }) => !['Moments', 'InputLayer'].includes(className),
  );
  if (others.length > 0)
    wrong(`Moments adds up and trains nothing, so ${others[0]!.className} cannot stand beside it`);
  if (features.kind !== 'table' || features.label.kind !== 'features')
    wrong('Moments needs features of kind table with label: {kind: features}');
  const other = features.columns.find(({ transform }) => transform.kind !== 'minmax');
  if (other) wrong(`Moments adds up columns under minmax, ${other.name} has ${other.transform.kind}`);
  if (training.loss !== 'meanSquaredError') wrong('Moments needs training.loss meanSquaredError');
  if (aggregation.weights !== 'uniform')
    wrong(
      `Moments needs aggregation.weights uniform, not ${aggregation.weights}: sums are added as they are`,
    );
  if (plan.holdout !== 0) wrong(`Moments needs holdout 0, not ${plan.holdout}: all rows are in the sums`);
  // A second round would add the same sums again, over another set of survivors: the difference would be one partner's.
  if (plan.rounds !== 1 || training.epochs !== 1)
    wrong(
      `Moments needs rounds 1 and epochs 1, not ${plan.rounds} and ${training.epochs}: one pass is one sum`,
    );
}
