/** What the kinds of data have in common on their way to a plan. */
import type { Features, Plan } from '@tributary/protocol';
import type { Finding, Task } from './finding.ts';
import type { Network, Output } from './networks.ts';
import type { RecipeInput } from './recipe.ts';

export interface PlanningOptions {
  readonly label?: string | undefined;
  readonly task?: Task | undefined;
  readonly time?: string | undefined;
}

/** One column of the sample and what becomes of it. */
export interface ColumnRow {
  readonly name: string;
  readonly use: 'input' | 'label' | 'time' | 'group' | 'left out';
  /** Kind of the transform, where it is an input. */
  readonly transform?: string;
  readonly why: string;
}

/** A plan but for its hyper-parameters. */
export interface Draft {
  readonly task: Task;
  readonly taskWhy: string;
  /** Of the file or folder. */
  readonly name: string;
  readonly description: string;
  /** Rows, images or windows that are trained on. */
  readonly examples: number;
  readonly label: { readonly name: string; readonly why: string } | undefined;
  readonly columns: readonly ColumnRow[];
  readonly features: Features;
  readonly network: Network;
  readonly net: RecipeInput['net'];
  readonly loss: Plan['training']['loss'];
  readonly metrics: Plan['training']['metrics'];
  readonly findings: readonly Finding[];
  /** By the path of the field in the plan. */
  readonly why: Readonly<Record<string, string>>;
}

/** Output, loss and metrics for a label with classes. */
export function classHead(classes: number): {
  output: Output;
  loss: Plan['training']['loss'];
  metrics: Plan['training']['metrics'];
} {
  return classes === 2
    ? { output: { units: 1, activation: 'sigmoid' }, loss: 'binaryCrossentropy', metrics: ['accuracy'] }
    : {
        output: { units: classes, activation: 'softmax' },
        loss: 'sparseCategoricalCrossentropy',
        metrics: ['accuracy'],
      };
}

export const NUMBER_OUTPUT: Output = { units: 1, activation: 'linear' };

/** Values that the chosen columns become. */
export function widthOf(columns: readonly { readonly transform: { readonly kind: string } }[]): number {
  let width = 0;
  for (const { transform } of columns) {
    const { categories, other } = transform as { categories?: readonly string[]; other?: boolean };
    width += categories ? categories.length + Number(other === true) : 1;
  }
  return width;
}
