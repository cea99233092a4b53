/** What a sample or a plan gives cause to say; `rule` is a stable word for programs. */
import { TributaryError } from '@tributary/protocol';

export interface Finding {
  /** error: it will not work; warning: it may not do what is wanted; note: good to know. */
  readonly level: 'error' | 'warning' | 'note';
  readonly rule: string;
  readonly message: string;
  readonly remedy: string;
}

export type Task = 'classify' | 'regress' | 'forecast' | 'text' | 'autoencode';
export const TASKS = ['classify', 'regress', 'forecast', 'text', 'autoencode'] as const;

export function finding(level: Finding['level'], rule: string, message: string, remedy: string): Finding {
  return { level, rule, message, remedy };
}

/** A sample that no plan can be made from. */
export function sampleProblem(message: string, remedy: string): TributaryError {
  return new TributaryError('data-invalid', message, { remedy });
}

/** `1 column`, `3 columns`. */
export function plural(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`;
}

/** A few names, quoted, and how many more there are. */
export function named(names: readonly string[], shown = 8): string {
  const first = names.slice(0, shown).map((name) => JSON.stringify(name));
  return names.length > shown ? `${first.join(', ')} and ${names.length - shown} more` : first.join(', ');
}
