/** Which columns of a table enter a model, how, and why the others do not. */
import type { Column } from '@tributary/protocol';
import type { Described } from './choose-label.ts';
import { categoryColumn, numberColumn } from './choose-transform.ts';
import type { ColumnRow } from './draft.ts';
import { named, sampleProblem } from './finding.ts';

export interface Inputs {
  readonly columns: readonly Column[];
  readonly rows: readonly ColumnRow[];
  /** Of each of `columns`. */
  readonly reasons: readonly string[];
}

/** What enters the model, and why the rest does not. @throws data-invalid when nothing is left */
export function inputsOf(
  path: string,
  columns: readonly Described[],
  label: Described | undefined,
  only: ReadonlySet<string> = new Set(['number', 'category']),
): Inputs {
  const chosen: Column[] = [];
  const reasons: string[] = [];
  const rows: ColumnRow[] = [];
  for (const described of columns) {
    const { stats, role } = described;
    if (described === label) continue;
    const choice = only.has(role.kind)
      ? role.kind === 'number'
        ? numberColumn(stats)
        : categoryColumn(stats)
      : undefined;
    if (!choice) {
      const why = only.has(role.kind) ? 'no value is frequent enough for a category' : role.why;
      rows.push({ name: stats.name, use: 'left out', why });
      continue;
    }
    chosen.push(choice.column);
    reasons.push(choice.why);
    rows.push({ name: stats.name, use: 'input', transform: choice.column.transform.kind, why: choice.why });
  }
  if (chosen.length === 0)
    throw sampleProblem(
      `${path} leaves no column to learn from: ${rows
        .slice(0, 5)
        .map((row) => `${named([row.name])} (${row.why})`)
        .join(', ')}.`,
      'Pass a sample with columns of numbers or categories beside the label; --task text learns from free text.',
    );
  return { columns: chosen, rows, reasons };
}

export function reasonsOf({ reasons, rows }: Inputs): Record<string, string> {
  const left = rows.filter(({ use }) => use === 'left out').map(({ name, why }) => `${name} (${why})`);
  return {
    ...Object.fromEntries(reasons.map((why, at) => [`features.columns.${at}`, why])),
    ...(left.length > 0 ? { 'features.columns': `left out: ${left.join(', ')}` } : {}),
  };
}
