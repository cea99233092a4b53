/** What each column of a sample is good for, and why. */
import { LIMITS } from '@tributary/protocol';
import type { ColumnStats } from './column-stats.ts';
import { rounded } from './nice-numbers.ts';
import { personalKind, wordsOf } from './personal.ts';

export type RoleKind =
  | 'number'
  | 'category'
  | 'text'
  | 'date'
  | 'personal'
  | 'identifier'
  | 'constant'
  | 'empty'
  | 'unusable';

export interface Role {
  readonly kind: RoleKind;
  /** For a comment in the plan: begins in lower case. */
  readonly why: string;
}

/** A number column may hold a few cells that are none; they become the plan's `missing` value. */
const MOSTLY = 0.9;
/** More and a cell is prose. */
const WORDS_OF_TEXT = 3;
/** Categories of a column that is not to be predicted; the loader's own limit is far higher. */
const CATEGORIES = 200;

/** More codes than this teach a model nothing but which row it is. */
const CODES = 50;
/** The end of a name says most: `number of rooms` is a quantity, `room number` is none. */
const ROW_NUMBER = /^id\b|^(row|record|case)$|\b(id|uid|uuid|guid|key|index|nr|no|number)$/;
const CODE = /\b(id|code|key|nr)$/;

export function roleOf(column: ColumnStats): Role {
  const filled = column.rows - column.empty - column.markers;
  if (column.name === '') return role('unusable', 'it has no name');
  if (column.name.length > LIMITS.name)
    return role('unusable', `its name is longer than ${LIMITS.name} characters`);
  if (filled <= 0) return role('empty', 'every cell is empty');
  const personal = personalKind(column);
  if (personal !== undefined) return role('personal', `it looks like ${personal}`);
  if (column.categories?.size === 1 && column.empty === 0 && column.markers === 0)
    return role('constant', 'every row holds the same value');
  const identifier = identifierReason(column, filled);
  if (identifier !== undefined) return role('identifier', identifier);
  if (column.dates / filled >= MOSTLY) return role('date', 'dates and times are no quantities');
  if (column.commas / filled > 0.5) return role('unusable', 'its numbers hold a comma; write them as 1234.5');
  const code = column.integers && CODE.test(wordsOf(column.name));
  if (code && (column.categories?.size ?? Number.POSITIVE_INFINITY) > CODES)
    return role('identifier', 'its numbers are codes and no quantities');
  if (code) return role('category', `${column.categories?.size} different codes`);
  if (column.numbers / filled >= MOSTLY)
    return role('number', `numbers from ${rounded(column.min, 4)} to ${rounded(column.max, 4)}`);
  const distinct = column.categories?.size;
  if (column.words >= WORDS_OF_TEXT && (distinct === undefined || distinct > filled / 2))
    return role('text', `free text, ${Math.round(column.words)} words in the mean`);
  if (distinct === undefined || distinct > CATEGORIES || (column.allDistinct && filled > 20))
    return role('unusable', `${distinct ?? 'more than 1000'} different values in ${column.rows} rows`);
  return role('category', `${distinct} different values`);
}

function role(kind: RoleKind, why: string): Role {
  return { kind, why };
}

function identifierReason(column: ColumnStats, filled: number): string | undefined {
  if (column.uuids / filled > 0.5) return 'it holds UUIDs';
  if (!column.allDistinct) return undefined;
  const named = ROW_NUMBER.test(wordsOf(column.name));
  if (named && (column.integers || column.numbers === 0)) return 'it numbers the rows: no value comes twice';
  const consecutive = column.integers && column.increasing && column.max - column.min === filled - 1;
  if (consecutive && filled > 20) return 'it counts the rows up';
  return undefined;
}
