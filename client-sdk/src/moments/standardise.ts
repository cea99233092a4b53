/** Puts the constants that partners agreed on into a training plan. */
import { type Column, type Plan, parsePlan, TributaryError } from '@tributary/protocol';
import { columnsOf } from './plan.ts';
import type { ColumnMoments, Moments } from './read.ts';

/** Significant digits: as many as float32 sums carry. */
const DIGITS = 7;

export type Standardise = Extract<Column['transform'], { kind: 'standardise' }>;

/**
 * The plan with a `standardise` transform for every column that was summed; a series' label too, if its column was.
 * @throws plan-invalid when the sums are not those of this plan's columns
 */
export function standardise(plan: Plan, moments: Moments): Plan {
  const transforms = transformsFor(plan, moments);
  const { features } = plan;
  if (features.kind !== 'table' && features.kind !== 'series') return plan;
  const columns = features.columns.map((column) => ({
    ...column,
    transform: transforms.get(column.name) ?? column.transform,
  }));
  const own = features.kind === 'series' ? transforms.get(features.label.name) : undefined;
  const label = own ? { ...features.label, mean: own.mean, std: own.std } : features.label;
  return parsePlan({ ...plan, features: { ...features, columns, label } });
}

/** By column. @throws plan-invalid, as `standardise` */
export function transformsFor(plan: Plan, moments: Moments): ReadonlyMap<string, Standardise> {
  const columns = columnsOf(plan);
  const summed = new Map(moments.columns.map((column) => [column.name, column]));
  const strange = (name: string, why: string): never => {
    throw new TributaryError('plan-invalid', `features: column ${name} ${why}.`, {
      remedy: 'Make the moments plan from this plan with `tributary plan moments`, and run that.',
    });
  };
  for (const { name } of moments.columns) {
    const column = columns.find((each) => each.name === name);
    if (!column) strange(name, 'was summed, and the plan has no such column');
    if (column?.transform.kind === 'onehot')
      strange(name, 'was summed as a number, in the plan it is a category');
  }
  for (const { name, transform } of columns)
    if ((transform.kind === 'minmax' || transform.kind === 'standardise') && !summed.has(name))
      strange(name, `has a ${transform.kind} transform, and was not summed`);
  return new Map(moments.columns.map((column) => [column.name, transformOf(column)]));
}

function transformOf({ mean, std }: ColumnMoments): Standardise {
  const rounded = (value: number) => Number(value.toPrecision(DIGITS));
  return { kind: 'standardise', mean: rounded(mean), std: rounded(std) };
}
